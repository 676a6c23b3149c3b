# The manifests: current, and alike.
# shellcheck shell=bash

# Keys that every crate takes from the workspace.
readonly INHERITED="version edition rust-version license publish"

stage_manifests() {
  local manifest key failed=0
  if ! cargo metadata --locked --format-version 1 >"$SCRATCH/metadata.json"; then
    complain "the manifests and Cargo.lock do not agree (or a crate could not be fetched); run cargo check and commit Cargo.lock"
    return 1
  fi
  for manifest in crates/*/Cargo.toml tests/Cargo.toml; do
    for key in $INHERITED; do
      grep -qx "$key.workspace = true" "$manifest" || { complain "$manifest: expected '$key.workspace = true'" && failed=1; }
    done
    grep -A1 -x '\[lints\]' "$manifest" | grep -qx 'workspace = true' ||
      { complain "$manifest: expected '[lints]' with 'workspace = true'" && failed=1; }
  done
  return "$failed"
}
