# Type-checks the program for other platforms on a Debian machine, without a compiler of theirs:
#
#   Debian's rustc, cargo and library sources --> std built for the target --> cargo check
#   mingw (Windows), zig in a Python venv (macOS), nasm -----------------------^ the C and assembly of dependencies
#
# Libraries and programs of the whole workspace; what only Linux can do says so in the source.
# shellcheck shell=bash

# shellcheck source=scripts/lib/packages.sh
source "$ROOT/scripts/lib/packages.sh"

# target | what runs cargo for it
readonly TARGETS="
  x86_64-pc-windows-gnu | cargo
  aarch64-apple-darwin  | cargo-zigbuild
"

# command or file that must be there | Debian's package that brings it
readonly TARGET_PACKAGES="
  /usr/bin/rustc                              | rustc-web
  /usr/bin/cargo                              | cargo-web
  /usr/lib/rustlib/src/rust/library           | rust-web-src
  x86_64-w64-mingw32-gcc                      | gcc-mingw-w64-x86-64
  x86_64-w64-mingw32-g++                      | g++-mingw-w64-x86-64
  nasm                                        | nasm
  python3                                     | python3-venv
"

stage_targets() {
  local built target runner log warnings
  built="${CARGO_TARGET_DIR:-$ROOT/target}/portability"
  install_target_packages
  install_zigbuild "$built/venv"
  while IFS=$'\t' read -r target runner; do
    log="$SCRATCH/$target.log"
    printf '%s\n' "-- $target"
    check_target "$target" "$runner" "$built" 2>&1 | tee "$log"
    warnings=$(grep -c '^warning: .* generated [0-9]* warning' "$log" || true)
    ((warnings == 0)) || note "$target: warnings in $warnings crates"
  done < <(table_rows "$TARGETS")
}

install_target_packages() {
  local wanted from packages=()
  while IFS=$'\t' read -r wanted from; do
    [[ -z $(absent "$wanted") ]] || packages+=("$from")
  done < <(table_rows "$TARGET_PACKAGES")
  ((${#packages[@]})) || return 0
  if can_install && install_packages "${packages[@]}"; then
    return
  fi
  complain "to check other platforms, install these Debian packages first: ${packages[*]}"
  return 1
}

# install_zigbuild VENV: cargo-zigbuild and the zig it calls, where no other Python sees them.
install_zigbuild() {
  local venv=$1
  [[ ! -x $venv/bin/cargo-zigbuild ]] || return 0
  if python3 -m venv "$venv" && "$venv/bin/pip" install --quiet ziglang cargo-zigbuild; then
    return
  fi
  complain "to check macOS, python3 with venv and pip must be able to install: ziglang cargo-zigbuild"
  return 1
}

# check_target TARGET RUNNER BUILT: no rustup shim on the PATH, since std is built from Debian's sources.
check_target() {
  local target=$1 runner=$2 built=$3
  env PATH="$built/venv/bin:/usr/bin:/bin" RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 \
    CARGO_UNSTABLE_BUILD_STD=std,panic_abort CARGO_TARGET_DIR="$built" \
    "$runner" check --workspace --target "$target"
}
