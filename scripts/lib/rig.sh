# What scripts/demo and scripts/bench share: programs, a release build, the rig.
# shellcheck shell=bash

# shellcheck source=scripts/lib/packages.sh
source scripts/lib/packages.sh

# usage_if_asked SCRIPT ARGUMENT...: prints the script's opening and ends, if help was asked for.
usage_if_asked() {
  local script=$1 argument
  shift
  for argument in "$@"; do
    if [[ $argument == -h || $argument == --help ]]; then
      sed -n '2,/^set /s/^# \{0,1\}//p' "$script"
      exit 0
    fi
  done
}

# need_programs "COMMAND PACKAGE"...: installs what is absent where that is possible; says plainly what stays missing.
need_programs() {
  local pair command package wanted=()
  for pair in "$@"; do
    read -r command package <<<"$pair"
    [[ -z $(absent "$command") ]] || wanted+=("$package")
  done
  ((${#wanted[@]})) || return 0
  if can_install; then
    install_packages "${wanted[@]}" >&2
  else
    printf 'error: missing on this machine: %s (only root on Debian can install them from here)\n' "${wanted[*]}" >&2
    return 1
  fi
}

# build_release: stead and the rig; cargo shows its progress.
build_release() {
  [[ $(id -u) == 0 ]] || {
    printf 'error: needs root: network namespaces and TUN devices are made\n' >&2
    return 1
  }
  command -v cargo >/dev/null || {
    printf 'error: cargo does not run; install Rust from https://rustup.rs\n' >&2
    return 1
  }
  if ! command -v cc >/dev/null; then
    need_programs "cc gcc" "ld binutils"
    [[ -e /usr/include/stdlib.h ]] || install_packages libc6-dev >&2
  fi
  cargo build --release --locked -p stead -p stead-rig
}

# rig: where the rig's program is.
rig() {
  printf '%s\n' "${CARGO_TARGET_DIR:-target}/release/stead-rig"
}

# run_rig COMMAND ARGUMENT...: in place of this shell, so that a signal reaches the rig itself.
run_rig() {
  exec "$(rig)" "$@"
}
