#!/bin/sh
# Install what building bundles for other machines, and running them emulated, needs, where that is
# possible without asking: as root on Debian. Elsewhere it says what is missing.
set -u
PATH="$PATH:/usr/sbin:/usr/local/sbin"
wanted=
command -v strip >/dev/null 2>&1 || wanted="$wanted binutils"
command -v aarch64-linux-gnu-strip >/dev/null 2>&1 || wanted="$wanted binutils-aarch64-linux-gnu"
command -v arm-linux-gnueabihf-gcc >/dev/null 2>&1 ||
    wanted="$wanted gcc-arm-linux-gnueabihf libc6-dev-armhf-cross"
command -v mmdebstrap >/dev/null 2>&1 || wanted="$wanted mmdebstrap"
command -v arch-test >/dev/null 2>&1 || wanted="$wanted arch-test"
command -v qemu-arm-static >/dev/null 2>&1 || wanted="$wanted qemu-user-static"
[ -z "$wanted" ] && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "missing for bundles of other machines (Debian packages):$wanted" >&2
    exit 1
fi
echo "installing$wanted"
# shellcheck disable=SC2086  # a list of package names
{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends $wanted; } >/dev/null 2>&1 || {
    echo "could not be installed:$wanted" >&2
    exit 1
}
