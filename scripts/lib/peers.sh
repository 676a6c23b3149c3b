# The systems that stead is measured beside: what of them is missing is installed where that is possible.
# shellcheck shell=bash

# shellcheck source=scripts/lib/packages.sh
source scripts/lib/packages.sh

# install_peers RIG ARGUMENT...: what the tunnels named by --tunnels (or all) need and this machine lacks; packages of
# Debian, and crates into a directory of cargo's target directory. It never fails: what stays missing is said, and the rig
# leaves it out.
install_peers() {
  local rig=$1 source name version chosen packages=() crates=()
  shift
  mapfile -t chosen < <(tunnels_of "$@")
  while read -r source name version; do
    case $source in
      debian) packages+=("$name") ;;
      crate) crates+=("$name@$version") ;;
    esac
  done < <("$rig" lacking "${chosen[@]}" || true)
  ((${#packages[@]} == 0)) || install_peer_packages "${packages[@]}" >&2
  for name in "${crates[@]}"; do
    install_peer_crate "$name" >&2
  done
}

# tunnels_of ARGUMENT...: the option --tunnels as one word, if it is there.
tunnels_of() {
  while (($#)); do
    case $1 in
      --tunnels) printf -- '--tunnels=%s\n' "${2:-}" ;;
      --tunnels=*) printf '%s\n' "$1" ;;
    esac
    shift
  done
}

# install_peer_packages PACKAGE...: all at once, and one by one if that fails.
install_peer_packages() {
  local package
  if ! can_install; then
    printf 'not installed: %s (only root on Debian can install them from here)\n' "$*"
  elif ! install_packages "$@" && (($# > 1)); then
    for package in "$@"; do
      install_packages "$package" || printf 'not installed: %s\n' "$package"
    done
  fi
}

# install_peer_crate CRATE@VERSION: builds its program, which takes minutes; cargo shows its progress.
install_peer_crate() {
  printf 'building %s from crates.io, for some minutes\n' "$1"
  timeout 1800 cargo install --locked --root "${CARGO_TARGET_DIR:-target}/bench-peers" "$1" ||
    printf 'not installed: %s could not be built from crates.io\n' "$1"
}
