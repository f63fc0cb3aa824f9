#!/bin/sh
# Install the mosquitto broker where that is possible without asking: as root on Debian.
# Elsewhere the tests that need it are counted as not run.
set -u
PATH="$PATH:/usr/sbin:/usr/local/sbin"
command -v mosquitto >/dev/null 2>&1 && exit 0
sh "$(dirname "$0")/debian.sh" "the tests against the real broker, which will be counted as not run" mosquitto
# Nor with the machine's next start: the tests begin brokers of their own.
unit=mosquitto.service
[ ! -e "/lib/systemd/system/$unit" ] || systemctl disable "$unit" >/dev/null 2>&1 ||
    echo "$unit may start with this machine: systemctl disable $unit"
exit 0
