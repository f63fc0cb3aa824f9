#!/bin/sh
# Install what the rig with the virtual machine needs, where that is possible without asking: as
# root on Debian. Elsewhere it says what is missing, and the rig ends there.
set -u
PATH="$PATH:/usr/sbin:/usr/local/sbin"
wanted=
command -v qemu-system-x86_64 >/dev/null 2>&1 || wanted="$wanted qemu-system-x86"
command -v mmdebstrap >/dev/null 2>&1 || wanted="$wanted mmdebstrap"
command -v mke2fs >/dev/null 2>&1 || wanted="$wanted e2fsprogs"
[ -z "$wanted" ] && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "missing for the rig (Debian packages):$wanted" >&2
    exit 1
fi
echo "installing$wanted"
# shellcheck disable=SC2086  # a list of package names
{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends $wanted; } >/dev/null 2>&1 || {
    echo "could not be installed:$wanted" >&2
    exit 1
}
