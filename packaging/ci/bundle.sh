#!/bin/sh
# Install what building bundles for other machines, and running them emulated, needs, where that is
# possible without asking: as root on Debian. Elsewhere it says what is missing, and ends with 1.
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
[ -n "$wanted" ] || exit 0
# shellcheck disable=SC2086  # a list of package names
exec sh "$(dirname "$0")/debian.sh" "bundles for other machines" $wanted
