#!/bin/sh
# Install what building and judging the Debian packages needs, where that is possible without
# asking: as root on Debian. Elsewhere it says what is missing, and ends with 1.
set -u
PATH="$PATH:/usr/sbin:/usr/local/sbin"
wanted=
command -v dpkg-deb >/dev/null 2>&1 || wanted="$wanted dpkg"
command -v lintian >/dev/null 2>&1 || wanted="$wanted lintian"
command -v mmdebstrap >/dev/null 2>&1 || wanted="$wanted mmdebstrap"
command -v systemd-analyze >/dev/null 2>&1 || wanted="$wanted systemd"
command -v strip >/dev/null 2>&1 || wanted="$wanted binutils"
command -v shellcheck >/dev/null 2>&1 || wanted="$wanted shellcheck"
[ -n "$wanted" ] || exit 0
# shellcheck disable=SC2086  # a list of package names
exec sh "$(dirname "$0")/debian.sh" "the packages" $wanted
