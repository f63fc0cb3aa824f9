#!/bin/sh
# Install Debian packages where that is possible without asking: as root on Debian.
#     sh packaging/ci/debian.sh "what needs them" PACKAGE…
# Ends with 0 when they are installed, else with 1, having said what is missing and why. Services
# that come with them are not started meanwhile; whoever asks keeps them from starting later.
set -u
needs=$1
shift
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "not installed, and needed by $needs (packages of Debian): $*" >&2
    exit 1
fi
echo "installing $*"
said=$(mktemp)
trap 'rm -f "$said"' EXIT
trap 'exit 130' HUP INT TERM
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy" "$said"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
fi
{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "$@"; } >"$said" 2>&1 && exit 0
echo "could not be installed, and needed by $needs: $*" >&2
tail -n 3 "$said" >&2
exit 1
