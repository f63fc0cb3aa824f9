#!/bin/sh
# Install RabbitMQ, and openssl for the certificates of the recipes, where that is possible without
# asking: as root on Debian. Elsewhere the tests that need them are counted as not run.
set -u
wanted=
[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || wanted="$wanted rabbitmq-server"
command -v openssl >/dev/null 2>&1 || wanted="$wanted openssl"
[ -n "$wanted" ] || exit 0
# The package would start a node of its own with the machine, and the name server with it.
fresh=
for unit in epmd.socket epmd.service rabbitmq-server.service; do
    [ -e "/lib/systemd/system/$unit" ] || fresh="$fresh $unit"
done
# shellcheck disable=SC2086  # a list of package names
sh "$(dirname "$0")/debian.sh" "the tests of the recipes, which will be counted as not run" $wanted
# The tests begin nodes of their own.
for unit in $fresh; do
    [ ! -e "/lib/systemd/system/$unit" ] || systemctl disable "$unit" >/dev/null 2>&1 ||
        echo "$unit may start with this machine: systemctl disable $unit"
done
exit 0
