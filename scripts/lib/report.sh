# Stages, their verdicts and the closing summary.
# shellcheck shell=bash

SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/stead-check.XXXXXX")
trap 'rm -rf "$SCRATCH"' EXIT
readonly SCRATCH

if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
  readonly BOLD=$'\e[1m' RED=$'\e[31m' GREEN=$'\e[32m' PLAIN=$'\e[0m'
else
  readonly BOLD='' RED='' GREEN='' PLAIN=''
fi

# die MESSAGE: ends the script; for wrong use, not for a failing stage.
die() {
  printf 'error: %s\n' "$1" >&2
  exit 2
}

# complain MESSAGE: why a stage fails, to where people look for it.
complain() {
  printf '%serror%s: %s\n' "$RED" "$PLAIN" "$1" >&2
}

# note MESSAGE: something worth knowing that fails nothing; repeated in the summary.
note() {
  printf 'note: %s\n' "$1"
  printf '%s\n' "$1" >>"$SCRATCH/notes"
}

# table_rows TABLE: its rows, one a line, columns separated by a tab. A bar with spaces around it separates columns in TABLE.
table_rows() {
  sed -e 's/^ *//' -e 's/ *$//' -e 's/  *|  */\t/g' -e '/^$/d' <<<"$1"
}

# stage_meaning NAME: what the stage proves; fails for an unknown name.
stage_meaning() {
  table_rows "$STAGES" | awk -F'\t' -v name="$1" '$1 == name { print $2; found = 1 } END { exit !found }'
}

# run_stages NAMES: one after the other until one fails, then the summary.
run_stages() {
  local name failed=''
  for name in $1; do
    run_stage "$name"
    ((STAGE_STATUS == 0)) || { failed=$name && break; }
  done
  summary "$failed"
  [[ -z $failed ]]
}

# run_stage NAME: leaves its status in STAGE_STATUS. The stage runs in a subshell, so that nothing leaks out of it, and as a
# plain command: in a condition, bash would ignore `set -e` in all of it.
run_stage() {
  local name=$1 began=$SECONDS
  printf '\n%s== %s%s: %s\n' "$BOLD" "$name" "$PLAIN" "$(stage_meaning "$name")"
  set +e
  (
    set -e
    "stage_$name"
  )
  STAGE_STATUS=$?
  set -e
  printf '%s|%s|%s\n' "$name" "$STAGE_STATUS" $((SECONDS - began)) >>"$SCRATCH/verdicts"
}

# summary FAILED: the verdicts, the notes, and the totals of the tests where they ran.
summary() {
  local name status seconds
  printf '\n%s== summary%s\n' "$BOLD" "$PLAIN"
  while IFS='|' read -r name status seconds; do
    if ((status == 0)); then
      printf '  %-10s %sok%s      %5s s\n' "$name" "$GREEN" "$PLAIN" "$seconds"
    else
      printf '  %-10s %sFAILED%s  %5s s\n' "$name" "$RED" "$PLAIN" "$seconds"
    fi
  done <"$SCRATCH/verdicts"
  [[ ! -s $SCRATCH/notes ]] || sed 's/^/  note: /' "$SCRATCH/notes"
  if [[ -n $1 ]]; then
    printf '%serror%s: stage %s failed; run it alone with: scripts/check --only %s\n' "$RED" "$PLAIN" "$1" "$1"
  fi
  [[ ! -s $SCRATCH/totals ]] || cat "$SCRATCH/totals"
}
