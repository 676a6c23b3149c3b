# What the sources of the crates may say.
# shellcheck shell=bash

# Pattern (extended, on lines without comments) | why it has no place in a protocol crate.
readonly IMPURE="
  \b(Instant|SystemTime)::now\b                                 | reads a clock: time comes in as an argument, stead_wire::time::Instant
  \bSystemTime\b|\bstd::time::[{]?[^;]*\bInstant\b              | a clock's own time: take stead_wire::time::Instant or UnixTime
  \bstd::net::[{]?[^;]*\b(UdpSocket|TcpStream|TcpListener)\b    | opens a socket: datagrams come in and go out as bytes
  \bToSocketAddrs\b                                             | resolves names over the network
  \bstd::(fs|env|process|os)\b                                  | touches files, environment, processes or the platform
  \bstd::thread\b                                               | starts or stops threads: the driver owns them
  \bstd::io::(stdin|stdout|stderr)\b|\be?print(ln)?!            | talks to the terminal: make it an event
  \b(tokio|mio|socket2|libc|nix)::|\basync (fn|move)\b          | belongs to a runtime or makes system calls
  \b(thread_rng|OsRng|SystemRandom|from_entropy|from_os_rng)\b  | process randomness: take a stream of stead_noise::random
  \b(getrandom|rand|fastrand)::                                 | process randomness: take a stream of stead_noise::random
  \bHash(Map|Set)::(new|with_capacity|from)\b                   | a hasher seeded by the process, another order in each run: name a fixed hasher, or take a BTreeMap
  \bHashMap<[^<>,]+, [^<>,]+>|\bHashSet<[^<>,]+>|\bRandomState\b | a hasher seeded by the process, another order in each run: name a fixed hasher, or take a BTreeMap
"

# production_lines FILE: numbered lines before the tests at the bottom, without comments.
production_lines() {
  awk '/^#\[cfg\(test\)\]/ { exit } { line = $0; sub(/\/\/.*/, "", line); print FNR ": " line }' "$1"
}

# production_files CRATE...: its sources without files of tests.
production_files() {
  local crate
  for crate in "$@"; do
    [[ ! -d crates/$crate ]] || tracked "crates/$crate/src/*.rs" | grep -vE '/tests(/|\.rs$)' || true
  done
}

stage_purity() {
  local file any failed=0 crates
  read -ra crates <<<"$PROTOCOL_CRATES"
  any=$(table_rows "$IMPURE" | cut -f1 | paste -sd'|')
  while read -r file; do
    production_lines "$file" | grep -qE "$any" || continue
    explain_impurity "$file"
    failed=1
  done < <(production_files "${crates[@]}")
  return "$failed"
}

# explain_impurity FILE: each pattern that matches, with its lines.
explain_impurity() {
  local pattern why hits
  while IFS=$'\t' read -r pattern why; do
    hits=$(production_lines "$1" | grep -E "$pattern" || true)
    [[ -n $hits ]] || continue
    complain "$1: $why"
    printf '%s\n' "$hits" >&2
  done < <(table_rows "$IMPURE")
}

stage_unsafety() {
  local file hits failed=0
  while read -r file; do
    case " $UNSAFE_CRATES " in *" $(cut -d/ -f2 <<<"$file") "*) continue ;; esac
    hits=$(production_lines "$file" | grep -E '\bunsafe(_code)?\b' || true)
    [[ -n $hits ]] || continue
    complain "$file: unsafe code; system calls belong to: $UNSAFE_CRATES"
    printf '%s\n' "$hits" >&2
    failed=1
  done < <(tracked 'crates/*.rs' 'tests/*.rs')
  return "$failed"
}

stage_sizes() {
  local file lines total=0 files=0 long=0
  while read -r file; do
    lines=$(awk '/^#\[cfg\(test\)\]/ { exit } { lines++ } END { print lines + 0 }' "$file")
    total=$((total + lines)) files=$((files + 1))
    ((lines <= LONG_FILE)) || { note "$file has $lines production lines" && long=$((long + 1)); }
  done < <(tracked 'crates/*.rs' | grep -vE '/tests(/|\.rs$)')
  printf '%s files, %s production lines, %s files past %s\n' "$files" "$total" "$long" "$LONG_FILE"
}
