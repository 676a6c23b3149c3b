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
  local status=0 line
  cargo build --locked --workspace --bins --tests
  cargo test --locked --workspace --no-fail-fast 2>&1 | tee "$SCRATCH/tests.log" || status=$?
  skipped_tests | while read -r line; do note "$line"; done
  test_totals "$status" >"$SCRATCH/totals"
  return "$status"
}

# skipped_tests: what tests say, past the harness's capture, when the machine lacks what they need.
skipped_tests() {
  grep -o 'skipped: .*' "$SCRATCH/tests.log" | sort -u || true
}

# count_skipped: by the word, not by the line, since tests that run side by side may write into each other's lines.
count_skipped() {
  { grep -o 'skipped: ' "$SCRATCH/tests.log" || true; } | wc -l
}

# test_totals STATUS: all suites added up, as cargo test closes one and as one plain line. A test that skipped itself
# counts as skipped, though the harness saw it pass.
test_totals() {
  awk -v status="$1" -v skipped="$(count_skipped)" '
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
      printf "%d passed, %d failed, %d skipped\n", passed - skipped, failed, ignored + skipped
    }' "$SCRATCH/tests.log"
}
