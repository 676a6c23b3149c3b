# The stages that compile.
# shellcheck shell=bash

stage_format() {
  cargo fmt --all --check
  if [[ -f tests/fuzz/Cargo.toml ]]; then
    cargo fmt --manifest-path tests/fuzz/Cargo.toml --check
  fi
}

stage_clippy() {
  cargo clippy --locked --workspace --all-targets -- -D warnings
}

stage_docs() {
  RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items
}

# Builds the programs together with the tests: the suites that start `stead` look for it beside themselves.
stage_tests() {
  local status=0
  export STEAD_SKIPPED="$SCRATCH/skipped"
  : >"$STEAD_SKIPPED"
  cargo build --locked --workspace --bins --tests
  cargo test --locked --workspace --no-fail-fast 2>&1 | tee "$SCRATCH/tests.log" || status=$?
  [[ ! -s $STEAD_SKIPPED ]] || while read -r line; do note "skipped: $line"; done < <(sort -u "$STEAD_SKIPPED")
  test_totals "$status" >"$SCRATCH/totals"
  return "$status"
}

# test_totals STATUS: all suites added up, as cargo test closes one and as one plain line.
test_totals() {
  local skipped_at_run_time
  skipped_at_run_time=$(sort -u "$STEAD_SKIPPED" | wc -l)
  awk -v status="$1" -v at_run_time="$skipped_at_run_time" '
    /^test result: / {
      for (i = 1; i < NF; i++) {
        if ($(i + 1) == "passed;") passed += $i
        if ($(i + 1) == "failed;") failed += $i
        if ($(i + 1) == "ignored;") ignored += $i
        if ($(i + 1) == "measured;") measured += $i
      }
    }
    END {
      printf "test result: %s. %d passed; %d failed; %d ignored; %d measured; 0 filtered out\n",
        status == 0 ? "ok" : "FAILED", passed, failed, ignored, measured
      printf "%d passed, %d failed, %d skipped\n", passed - at_run_time, failed, ignored + at_run_time
    }' "$SCRATCH/tests.log"
}
