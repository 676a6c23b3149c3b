# Micro-benchmarks: timed, or their instructions counted in this tree and in another commit's.
# shellcheck shell=bash

# crate | bench target
readonly GAUGES="
  noise | messages
  lct   | table
  node  | routes
  node  | path
  io    | offload
"

# Turns that one count covers, as crates/gauge has it.
readonly COUNTED=64

# The function of crates/gauge inside which valgrind counts.
readonly COUNTER='stead_gauge::counted*'

# gauges: "crate target" of every one, a line each.
gauges() {
  awk -F'|' 'NF == 2 { gsub(/ /, ""); print $1, $2 }' <<<"$GAUGES"
}

# run_micro [WORD...]: times the cases whose names hold one of the words, or all; ends with one table.
run_micro() {
  local crate target rows
  rows=$(mktemp)
  # shellcheck disable=SC2064 # the name is known now
  trap "rm -f '$rows'" EXIT
  while read -r crate target; do
    cargo bench --locked -p "stead-$crate" --bench "$target" -- "$@" | tee -a "$rows" >&2
  done < <(gauges)
  awk -F'\t' '
    BEGIN { printf "%-32s %14s %14s\n", "case", "ns", "bytes/s" }
    $1 == "row" { printf "%-32s %14s %14s\n", $2, $3, $4 ? scaled($4) : "" }
    function scaled(number) {
      if (number >= 1e9) return sprintf("%.2f G", number / 1e9)
      return sprintf("%.1f M", number / 1e6)
    }' "$rows"
}

# run_instructions [--against COMMIT] [WORD...]: this tree beside another commit.
run_instructions() {
  local against='' words=() target_folder counts name other
  while (($#)); do
    case $1 in
      --against) against=${2:?--against needs a commit} && shift ;;
      *) words+=("$1") ;;
    esac
    shift
  done
  need_programs "valgrind valgrind"
  # Without a word, what is being worked on: the changes since the last commit, else the last commit's own.
  [[ -n $against ]] || against=$(git diff --quiet HEAD -- && echo HEAD~1 || echo HEAD)
  other=$(git rev-parse --short=12 --verify "$against^{commit}")
  target_folder=$(realpath -m "${CARGO_TARGET_DIR:-target}")
  export CARGO_TARGET_DIR=$target_folder
  counts=$target_folder/instructions
  check_out "$other" "$counts/$other"
  count_all "$counts/$other" "${words[@]+"${words[@]}"}" >"$counts/before"
  count_all "$ROOT" "${words[@]+"${words[@]}"}" >"$counts/after"
  compare_counts "$counts/before" "$counts/after" "$other"
}

# check_out COMMIT FOLDER: the commit's files, outside of git's own books. Kept, since a folder's name says what is in it.
check_out() {
  [[ ! -e $2/Cargo.toml ]] || return 0
  mkdir -p "$2"
  git archive "$1" | tar --extract --directory="$2" --touch
}

# count_all TREE [WORD...]: "case<tab>instructions" a line; the figure is "-" where the program did not get to its end.
count_all() {
  local tree=$1 crate target program name
  shift
  while read -r crate target; do
    program=$(gauge_program "$tree" "$crate" "$target")
    [[ -n $program ]] || continue
    while read -r name; do
      wanted "$name" "$@" || continue
      printf '%s: %s\n' "$tree" "$name" >&2
      printf '%s\t%s\n' "$name" "$(count_one "$program" "$name")"
    done < <("$program" --list)
  done < <(gauges)
}

# gauge_program TREE CRATE TARGET: builds it, unless the tree has none; prints where it is.
gauge_program() {
  grep -qs "^name = \"$3\"" "$1/crates/$2/Cargo.toml" || return 0
  cargo bench --locked --no-run --manifest-path "$1/Cargo.toml" -p "stead-$2" --bench "$3" 2>&1 |
    tee /dev/stderr | sed -n 's/^ *Executable .*(\(.*\))$/\1/p'
}

# wanted NAME [WORD...]: does the name hold one of the words, if there are any?
wanted() {
  local name=$1 word
  shift
  (($#)) || return 0
  for word in "$@"; do
    [[ $name != *"$word"* ]] || return 0
  done
  return 1
}

# count_one PROGRAM CASE: instructions of one turn, as valgrind's machine executes them.
count_one() {
  local out total
  out=$(mktemp)
  if valgrind --tool=callgrind --callgrind-out-file="$out" --toggle-collect="$COUNTER" "$1" --count "$2" >/dev/null 2>"$out.log"; then
    total=$(awk '$1 == "totals:" { print $2 }' "$out")
    printf '%d' $((${total:-0} / COUNTED))
  else
    tail -3 "$out.log" >&2
    printf -- '-'
  fi
  rm -f "$out" "$out.log"
}

# compare_counts BEFORE AFTER COMMIT: the table.
compare_counts() {
  awk -F'\t' -v commit="$3" '
    BEGIN { printf "%-32s %14s %14s %10s\n", "instructions of", commit, "this tree", "more" }
    NR == FNR { before[$1] = $2; next }
    { seen[$1] = 1; row($1, ($1 in before) ? before[$1] : "not there", $2) }
    END { for (name in before) if (!(name in seen)) row(name, before[name], "not there") }
    function row(name, old, new, more) {
      more = (old + 0 > 0 && new + 0 > 0) ? sprintf("%+.2f %%", (new - old) / old * 100) : ""
      printf "%-32s %14s %14s %10s\n", name, old, new, more
    }' "$1" "$2"
}
