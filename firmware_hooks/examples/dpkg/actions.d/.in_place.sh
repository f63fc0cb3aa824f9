# Read by the four hooks beside it and by `in_place`. A vendor sets these:
DIR=$HOOKS_DIR/.updates                  # a link to e.g. /var/lib/posagent-update, root's alone
DPKG=dpkg
QUERY=dpkg-query
PACKAGE=posagent
POSAGENT=/opt/posagent/bin/posagent
SERVICE=systemctl                        # called as: $SERVICE stop|start posagent.service
# The package stops posagent-actions, and with it every hook: what replaces it must not be one.
AWAY="systemd-run --quiet --collect --unit=posagent-in-place"
FORCE=/etc/posagent/force-removal        # see docs/operations/packages.md
# VENDOR: who may say what runs here as root. The agent names the file and its sum, and is not
# root: what it names must be signed by the vendor, beside it in FILE.sig. With a key of P-256:
#   openssl dgst -sha256 -sign vendor.key -out FILE.sig FILE
# genuine COPY SIGNATURE; another one (RAUC, signify, gpgv) goes into .vendor.sh.
KEY=/etc/posagent/update.pub.pem
genuine() { openssl dgst -sha256 -verify "$KEY" -signature "$2" "$1" >/dev/null 2>&1; }
# shellcheck source=/dev/null
[ ! -f "$HOOKS_DIR/.vendor.sh" ] || . "$HOOKS_DIR/.vendor.sh"

answer() { printf '{"contract":1,%s}\n' "$1"; exit 0; }
done_() { answer '"outcome":"done"'; }
refused() { answer "\"outcome\":\"refused\",\"reason\":\"$1\""; }

# What in_place could not do, told once; then it may be tried again.
unless_failed() {
    if [ -f "$DIR/failed" ]; then
        why=$(cat "$DIR/failed")
        rm -f "$DIR/failed"
        answer "\"outcome\":\"failed\",\"reason\":\"$why\""
    fi
}

# The request is one line of JSON without blanks, checked by posagent-actions against its schema.
field() { printf '%s' "$request" | sed -n "s/.*\"$1\":\"\\([^\"\\\\]*\\)\".*/\\1/p"; }

version_of() { dpkg-deb -f "$1" Version 2>/dev/null || :; }

# The version that is completely there, or nothing.
installed() {
    # shellcheck disable=SC2016
    $QUERY -W -f '${Status} ${Version}' "$PACKAGE" 2>/dev/null |
        sed -n 's/^install ok installed //p'
}

# Whole and on the flash, or as it was.
put() {
    printf '%s\n' "$2" >"$DIR/$1.new"
    sync "$DIR/$1.new"
    mv "$DIR/$1.new" "$DIR/$1"
    sync "$DIR"
}
