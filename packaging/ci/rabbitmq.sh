#!/bin/sh
# Install RabbitMQ, and openssl for the certificates of the recipes, where that is possible without
# asking: as root on Debian. Elsewhere the tests that need them are counted as not run.
set -u
wanted=
[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || wanted="$wanted rabbitmq-server"
command -v openssl >/dev/null 2>&1 || wanted="$wanted openssl"
[ -z "$wanted" ] && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "not installed:$wanted; the recipes that need it will be counted as not run"
    exit 0
fi
echo "installing$wanted"
# The package would start a node of its own, and the name server with it; this policy forbids it.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 130' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
fi
fresh=
for unit in epmd.socket epmd.service rabbitmq-server.service; do
    [ -e "/lib/systemd/system/$unit" ] || fresh="$fresh $unit"
done
# shellcheck disable=SC2086  # a list of package names
{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends $wanted; } >/dev/null 2>&1 ||
    echo "could not be installed:$wanted; the recipes that need it will be counted as not run"
# Nor with the machine's next start: the tests begin nodes of their own.
for unit in $fresh; do
    [ ! -e "/lib/systemd/system/$unit" ] || systemctl disable "$unit" >/dev/null 2>&1 ||
        echo "$unit may start with this machine: systemctl disable $unit"
done
exit 0
