# The licences of everything that is linked into the programs, on any platform.
# shellcheck shell=bash

stage_licences() {
  local licence dependency failed=0
  while IFS='|' read -r licence dependency; do
    acceptable "$licence" && continue
    complain "$dependency is under '${licence:-no licence}'; accepted are: $ACCEPTED_LICENCES"
    failed=1
  done < <(linked_licences)
  return "$failed"
}

# linked_licences: "expression|dependency", each once.
linked_licences() {
  cargo tree --quiet --locked --workspace -e normal --target all --prefix none -f '{l}|{p}' |
    sed -e 's/ ([^|]*$//' -e '/^$/d' | sort -u
}

# acceptable EXPRESSION: every part that AND joins leaves us a choice that we accept. An old slash means OR.
acceptable() {
  local part
  while read -r part; do
    some_accepted "$part" || return 1
  done < <(sed -e 's/[()]//g' -e 's/ WITH [^ ]*//g' -e 's#/# OR #g' -e 's/ AND /\n/g' <<<"$1")
}

some_accepted() {
  local choice
  for choice in ${1// OR / }; do
    [[ " $ACCEPTED_LICENCES " != *" $choice "* ]] || return 0
  done
  return 1
}
