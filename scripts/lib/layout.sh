# How the house looks from the street: top level, names, scripts, words.
# shellcheck shell=bash

# Names that say nothing about what a module is for.
readonly EMPTY_NAMES='manager|handler|helper|helpers|util|utils|common|misc|context|info|data'

# Words of other houses: places on somebody's machine, the tools somebody worked with, the tasks they came from.
# Each holds one letter in brackets so that this line does not find itself.
readonly FOREIGN_WORDS='(^|[^[:alnum:]])([f]arm-|/[w]ork/|/tmp/[c]ontract|\.[l]ibrary/|\.\./[s]hared|[i]ssues? #?[0-9])'

stage_layout() {
  local failed=0
  check_top_level || failed=1
  check_module_names || failed=1
  check_scripts || failed=1
  return "$failed"
}

# tracked [PATHSPEC...]: files that belong to the project, committed or about to be.
tracked() {
  git ls-files --cached --others --exclude-standard -- "$@" | while read -r file; do
    [[ ! -e $file ]] || printf '%s\n' "$file"
  done
}

check_top_level() {
  local entry failed=0
  for entry in $(tracked | cut -d/ -f1 | sort -u); do
    case " $TOP_LEVEL " in *" $entry "*) continue ;; esac
    case $entry in .* | LICENSE*) continue ;; esac
    complain "$entry does not belong at the top level, which holds: $TOP_LEVEL, dotfiles and licences"
    failed=1
  done
  for entry in $TOP_LEVEL LICENSE-MIT LICENSE-APACHE; do
    [[ -e $entry ]] || note "the top level has no $entry yet"
  done
  return "$failed"
}

check_module_names() {
  local file failed=0
  while read -r file; do
    case $file in
      */mod.rs) complain "$file: write foo.rs beside foo/ in stead of foo/mod.rs" ;;
      *) complain "$file: the name does not say what it is for" ;;
    esac
    failed=1
  done < <(tracked 'crates/*.rs' | grep -E "/src/(.*/)?(mod|$EMPTY_NAMES)\.rs$" || true)
  return "$failed"
}

check_scripts() {
  local script failed=0
  while read -r script; do
    [[ -x $script ]] || { complain "$script is not executable" && failed=1; }
    sed -n 2p "$script" | grep -q '^#' || { complain "$script: expected a usage line or a drawing on line 2" && failed=1; }
  done < <(tracked scripts .ci | grep -v '^scripts/lib/')
  return "$failed"
}

stage_words() {
  if tracked | grep -v '^Cargo.lock$' | xargs -d '\n' grep -InE "$FOREIGN_WORDS"; then
    complain "these lines name places or tasks that a reader of the project knows nothing of"
    return 1
  fi
}

stage_shell() {
  local scripts script
  mapfile -t scripts < <(tracked scripts .ci)
  for script in "${scripts[@]}"; do
    bash -n "$script"
  done
  if ! command -v shellcheck >/dev/null; then
    note "shellcheck is not installed: the scripts were parsed, not checked"
    return
  fi
  shellcheck --external-sources "${scripts[@]}"
}
