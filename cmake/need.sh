# SPDX-License-Identifier: MIT
# need PACKAGE...: sees to it that Debian packages are installed, or exits with 3 and the line that
# installs them. Sourced by ./train, ./check and bench/run.

need() {
  command -v dpkg-query >/dev/null 2>&1 || {
    echo "no dpkg here; make sure that you have what Debian calls: $*" >&2
    return 0
  }
  missing=
  for package in "$@"; do
    state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) || state=
    [ "$state" = installed ] || missing="$missing $package"
  done
  [ -n "$missing" ] || return 0

  line="apt-get install -y --no-install-recommends$missing"
  if [ -n "${POLYQ_NO_INSTALL:-}" ]; then
    as=
  elif [ "$(id -u)" -eq 0 ]; then
    as="env"
  elif command -v sudo >/dev/null 2>&1 && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
    as="sudo env"
  else
    as=
  fi
  if [ -z "$as" ]; then
    echo "packages are missing; install them as root, then call $0 again:" >&2
    echo "  $line" >&2
    exit 3
  fi
  echo "installing:$missing" >&2
  if ! { $as DEBIAN_FRONTEND=noninteractive apt-get update -qq &&
         $as DEBIAN_FRONTEND=noninteractive $line -qq; } >&2; then
    echo "that failed; install them as root, then call $0 again:" >&2
    echo "  $line" >&2
    exit 3
  fi
}
