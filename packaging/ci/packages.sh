#!/bin/sh
# Install what building and judging the Debian packages needs, where that is possible without
# asking: as root on Debian. Elsewhere it says what is missing, and the rig ends there.
set -eu
PATH="$PATH:/usr/sbin:/usr/local/sbin"
wanted=
command -v dpkg-deb >/dev/null 2>&1 || wanted="$wanted dpkg"
command -v lintian >/dev/null 2>&1 || wanted="$wanted lintian"
command -v mmdebstrap >/dev/null 2>&1 || wanted="$wanted mmdebstrap"
command -v systemd-analyze >/dev/null 2>&1 || wanted="$wanted systemd"
command -v strip >/dev/null 2>&1 || wanted="$wanted binutils"
command -v shellcheck >/dev/null 2>&1 || wanted="$wanted shellcheck"
[ -z "$wanted" ] && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "missing for the packages (of Debian):$wanted" >&2
    exit 1
fi
echo "installing$wanted"
# shellcheck disable=SC2086  # a list of package names
{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends $wanted; } >/dev/null 2>&1 || {
    echo "could not be installed:$wanted" >&2
    exit 1
}
