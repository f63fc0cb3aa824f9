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
[ -n "$wanted" ] || exit 0
# shellcheck disable=SC2086  # a list of package names
sh "$(dirname "$0")/debian.sh" "the network lab, which will be counted as not run" $wanted
exit 0
