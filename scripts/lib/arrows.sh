# The dependency arrows, checked on what cargo resolves for every platform, not on what the manifests seem to say.
# shellcheck shell=bash

stage_arrows() {
  local crate failed=0
  for crate in crates/*/; do
    crate=$(basename "$crate")
    if [[ -z ${MAY_REACH[$crate]+known} ]]; then
      complain "crates/$crate has no row in the table of arrows in scripts/check"
      return 1
    fi
    check_workspace_arrows "$crate" || failed=1
  done
  for crate in $PROTOCOL_CRATES; do
    [[ ! -d crates/$crate ]] || check_forbidden "$crate" || failed=1
  done
  report_unused_exceptions
  return "$failed"
}

# package CRATE: the package that lives in crates/CRATE.
package() {
  if [[ $1 == stead ]]; then printf 'stead\n'; else printf 'stead-%s\n' "$1"; fi
}

# edges CRATE: every dependency that CRATE reaches, as "from to" lines.
edges() {
  cargo tree --quiet --locked -e normal --target all --prefix depth -p "$(package "$1")" -f ' {p}' | awk '
    { depth = $1 + 0; name[depth] = $2 }
    depth > 0 { print name[depth - 1], $2 }' | sort -u
}

check_workspace_arrows() {
  local crate=$1 reached failed=0
  while read -r reached; do
    case " ${MAY_REACH[$crate]} " in *" $reached "*) continue ;; esac
    complain "$crate must not reach $reached; it may reach: ${MAY_REACH[$crate]:-nothing of the workspace}"
    print_chain "$crate" "stead-$reached"
    failed=1
  done < <(edges "$crate" | awk '{ print $2 }' | sed -n 's/^stead-//p' | sort -u)
  return "$failed"
}

check_forbidden() {
  local crate=$1 from to failed=0
  while read -r from to; do
    if excepted "$from" "$to"; then
      printf '%s %s\n' "$from" "$to" >>"$SCRATCH/exceptions-used"
      continue
    fi
    complain "protocol crate $crate reaches $to through $from"
    print_chain "$crate" "$to"
    failed=1
  done < <(forbidden_edges "$crate")
  return "$failed"
}

# forbidden_edges CRATE: the edges that end in a forbidden dependency, as far as they are reached without passing another.
forbidden_edges() {
  edges "$1" | awk -v root="$(package "$1")" -v forbidden="$FORBIDDEN_DEPENDENCIES" '
    BEGIN { for (count = split(forbidden, names, " "); count > 0; count--) bad[names[count]] = 1 }
    { to[$1] = to[$1] " " $2 }
    function visit(name, next_names, count) {
      if (seen[name]++) return
      for (count = split(to[name], next_names, " "); count > 0; count--) {
        if (next_names[count] in bad) print name, next_names[count]
        else visit(next_names[count])
      }
    }
    END { visit(root) }'
}

# excepted FROM TO: does the table of exceptions let FROM depend on TO?
excepted() {
  local name through
  while IFS=$'\t' read -r name through _; do
    [[ $name == "$2" && " $through " == *" $1 "* ]] && return
  done < <(table_rows "$EXCEPTIONS")
  return 1
}

report_unused_exceptions() {
  local name through from
  touch "$SCRATCH/exceptions-used"
  while IFS=$'\t' read -r name through _; do
    for from in $through; do
      grep -qx "$from $name" "$SCRATCH/exceptions-used" || note "nothing uses the exception '$name through $from' any more: drop it"
    done
  done < <(table_rows "$EXCEPTIONS")
}

# print_chain CRATE DEPENDENCY: how CRATE comes to DEPENDENCY, in each of its versions.
print_chain() {
  local id
  while read -r id; do
    cargo tree --quiet --locked -e normal --target all -p "$(package "$1")" -i "$id" >&2
  done < <(cargo tree --quiet --locked -e normal --target all --prefix none -p "$(package "$1")" |
    awk -v name="$2" '$1 == name { sub(/^v/, "", $2); print $1 "@" $2 }' | sort -u)
}
