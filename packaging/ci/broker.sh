#!/bin/sh
# Install the mosquitto broker where that is possible without asking: as root on Debian.
# Elsewhere the tests that need it are counted as not run.
set -u
PATH="$PATH:/usr/sbin:/usr/local/sbin"
command -v mosquitto >/dev/null 2>&1 && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "mosquitto is not installed: the tests against the real broker will be counted as not run"
    exit 0
fi
echo "installing mosquitto"
# The package would start a broker of its own on port 1883; this policy forbids it meanwhile.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 130' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
fi
{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends mosquitto; } >/dev/null 2>&1 ||
    echo "mosquitto could not be installed: those tests will be counted as not run"
# Nor with the machine's next start: the tests begin brokers of their own.
unit=mosquitto.service
[ ! -e "/lib/systemd/system/$unit" ] || systemctl disable "$unit" >/dev/null 2>&1 ||
    echo "$unit may start with this machine: systemctl disable $unit"
exit 0
