#!/bin/sh
# Install what the rig with the virtual machine needs, where that is possible without asking: as
# root on Debian. Elsewhere it says what is missing, and ends with 1.
set -u
PATH="$PATH:/usr/sbin:/usr/local/sbin"
wanted=
command -v qemu-system-x86_64 >/dev/null 2>&1 || wanted="$wanted qemu-system-x86"
command -v mmdebstrap >/dev/null 2>&1 || wanted="$wanted mmdebstrap"
command -v mke2fs >/dev/null 2>&1 || wanted="$wanted e2fsprogs"
[ -n "$wanted" ] || exit 0
# shellcheck disable=SC2086  # a list of package names
exec sh "$(dirname "$0")/debian.sh" "the rig" $wanted
