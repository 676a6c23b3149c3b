# A check that cannot fail proves nothing: does to a copy of the tree what each stage is there to catch.
# shellcheck shell=bash

# stage | what is done to the copy | what the stage must say
readonly FAULTS="
  manifests | sed -i '/^.lints./,\$d' crates/wire/Cargo.toml                               | expected '\[lints\]'
  layout    | touch notes.txt                                                              | notes.txt does not belong
  layout    | touch crates/wire/src/helper.rs                                              | does not say what it is for
  words     | printf '// is%s 7' sue >>crates/wire/src/lib.rs                              | knows nothing of
  unsafety  | sed -i '1i unsafe fn fault() {}' crates/wire/src/lib.rs                      | wire/src/lib.rs: unsafe code
  purity    | sed -i '1i use std::time::{Duration, Instant};' crates/wire/src/lib.rs       | a clock's own time
  purity    | sed -i '1i struct Fault(HashMap<u8, u8>);' crates/wire/src/lib.rs            | another order in each run
  arrows    | depend wire tokio                                                            | protocol crate node reaches tokio through stead-wire
  arrows    | depend noise stead-lct                                                       | noise must not reach lct
  arrows    | sed -i '/^  .wire.=/d' scripts/check                                         | crates/wire has no row
  licences  | sed -i '/^readonly ACCEPTED/s/ MIT-0 / /; s/\"MIT Apache/\"Apache/' scripts/check | is under 'MIT'
  shell     | echo 'if then' >>.ci/run                                                     | syntax error
  format    | echo 'fn  fault(){}' >>crates/wire/src/lib.rs                                | stage format failed
"

stage_faults() {
  local name deed words said failed=0
  while IFS=$'\t' read -r name deed words; do
    copy_tree "$SCRATCH/copy"
    said=$(cd "$SCRATCH/copy" && eval "$deed" && NO_COLOR=1 scripts/check --only "$name" 2>&1) || true
    grep -q -- "$words" <<<"$said" && continue
    complain "stage $name did not object to: $deed"
    failed=1
  done < <(table_rows "$FAULTS")
  return "$failed"
}

# copy_tree DIRECTORY: what belongs to the project, as a repository of its own.
copy_tree() {
  rm -rf "$1"
  mkdir "$1"
  tracked | tar --create --files-from=- | tar --extract --directory="$1"
  git -C "$1" init --quiet
}

# depend CRATE DEPENDENCY: a new arrow, with a Cargo.lock that knows it.
depend() {
  sed -i "s/^\[dependencies\]/&\n$2.workspace = true/" "crates/$1/Cargo.toml"
  cargo metadata --offline --format-version 1 >/dev/null 2>&1
}
