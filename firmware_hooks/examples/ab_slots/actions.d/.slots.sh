# Read by the four hooks beside it. Two slots, each a whole bundle of the agent:
#   $SLOTS/a/bin/posagent  $SLOTS/b/bin/posagent  $SLOTS/current -> a
# and what the boot loader reads: boot/good (a slot), boot/next (a slot), boot/tries (a number).
# Here `bootloader` plays it; with RAUC, SWUpdate or bootctl the lines marked VENDOR are theirs.
SLOTS=$HOOKS_DIR/.slots
BOOT=$SLOTS/boot
TRIES=3
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
failed() { answer "\"outcome\":\"failed\",\"reason\":\"$1\",\"changed\":$2"; }

# The request is one line of JSON without blanks, checked by posagent-actions against its schema.
field() { printf '%s' "$request" | sed -n "s/.*\"$1\":\"\\([^\"\\\\]*\\)\".*/\\1/p"; }

# Whole and on the flash, or as it was.
put() {
    printf '%s\n' "$2" >"$BOOT/$1.new"
    sync "$BOOT/$1.new"
    mv "$BOOT/$1.new" "$BOOT/$1"
    sync "$BOOT"
}

said() { cat "$BOOT/$1" 2>/dev/null || :; }

forget() {
    rm -f "$BOOT/next" "$BOOT/tries"
    sync "$BOOT"
}

# VENDOR: systemctl --no-block reboot. What the agent writes down after this answer may be cut
# short; it is found again.
reboot_soon() { : >"$BOOT/reboot"; }

read -r request
update=$(field update)
running=$(readlink "$SLOTS/current") || failed "no slot is in force" false
case "$running" in
a) other=b ;;
b) other=a ;;
*) failed "the slot in force is neither a nor b" false ;;
esac
