#!/bin/sh
# Install what the network lab needs (iproute2, setpriv; its own line drops packets, so no nftables) and the bus a
# modem is asked over (dbus), where that is possible without asking: as root on Debian. Elsewhere both are counted
# as not run.
set -u
PATH="$PATH:/usr/sbin:/usr/local/sbin:/sbin"
wanted=
command -v ip >/dev/null 2>&1 || wanted="$wanted iproute2"
command -v setpriv >/dev/null 2>&1 || wanted="$wanted util-linux"
command -v dbus-daemon >/dev/null 2>&1 || wanted="$wanted dbus"
[ -z "$wanted" ] && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "missing for the network lab (Debian packages):$wanted; it will be counted as not run"
    exit 0
fi
echo "installing$wanted"
# shellcheck disable=SC2086  # a list of package names
{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends $wanted; } >/dev/null 2>&1 ||
    echo "could not be installed:$wanted; the network lab will be counted as not run"
exit 0
