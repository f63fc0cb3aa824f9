#!/system/bin/sh
# Run by init before the agent, and once more when Android has booted: puts the default
# configuration in its place where there is none, and writes down which uid the payment app has.
# An app's uid is given at its installation and stays until it is removed.
set -eu
data=${POSAGENT_DATA:-/data/misc/posagent}
defaults=${POSAGENT_DEFAULTS:-/system_ext/etc/posagent}
packages=${POSAGENT_PACKAGES:-/data/system/packages.list}
say=${POSAGENT_SETPROP:-setprop}
umask 077

changed=
if [ ! -e "$data/etc/posagent.toml" ]; then
    cat "$defaults/posagent.toml" >"$data/etc/posagent.toml.new"
    sync
    mv "$data/etc/posagent.toml.new" "$data/etc/posagent.toml"
    changed=y
fi

# One package name on each line; # begins a comment.
uids=
if [ -r "$packages" ] && [ -r "$defaults/payment-apps" ]; then
    while read -r app _; do
        case $app in '' | '#'*) continue ;; esac
        while read -r name uid _; do
            case $uid in '' | *[!0-9]*) continue ;; esac
            if [ "$name" = "$app" ]; then
                uids="$uids${uids:+, }\"$uid\""
            fi
        done <"$packages"
    done <"$defaults/payment-apps"

    wanted="# Written by posagent-prepare: the apps named in $defaults/payment-apps.
[api]
submit = [$uids]
read = [$uids]"
    own="$data/etc/conf.d/payment-apps.toml"
    present=
    if [ -r "$own" ]; then present=$(cat "$own"); fi
    if [ "$present" != "$wanted" ]; then
        printf '%s\n' "$wanted" >"$own.new"
        sync
        mv "$own.new" "$own"
        changed=y
    fi
fi

if [ -n "$changed" ]; then
    "$say" posagent.prepared changed
else
    "$say" posagent.prepared same
fi
