# Installs Debian packages where that is possible, and says plainly what stays missing where it is not.
# shellcheck shell=bash

# can_install: root on a machine with apt.
can_install() {
  [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null
}

# absent COMMAND...: those that are not on the PATH (or, given as paths, do not exist).
absent() {
  local wanted
  for wanted in "$@"; do
    [[ -e $wanted ]] || command -v "$wanted" >/dev/null || printf '%s\n' "$wanted"
  done
}

# apt_get ARGUMENT...: waits for whoever holds the lock, tries the network again, asks nothing.
apt_get() {
  DEBIAN_FRONTEND=noninteractive timeout 600 apt-get -q -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 "$@"
}

# install_packages PACKAGE...: fails, with the last words of apt, if they could not be installed.
install_packages() {
  local log
  log=$(mktemp)
  printf 'installing: %s\n' "$*"
  if { apt_get update && apt_get install -y --no-install-recommends "$@"; } >"$log" 2>&1; then
    rm -f "$log"
    return
  fi
  printf 'apt could not install them:\n' >&2
  tail -n 5 "$log" >&2
  rm -f "$log"
  return 1
}
