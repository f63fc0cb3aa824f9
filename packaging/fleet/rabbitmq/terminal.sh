#!/bin/sh
# Add terminals to RabbitMQ, all in one call: users named like the common names of their
# certificates, without a password, that reach their own branch of topics and their own queues.
#
#   terminal.sh TENANT DEVICE_ID...
#
# In RabbitMQ topics are routing keys: pos/1/acme/T-1/event is pos.1.acme.T-1.event.
set -eu
[ $# -ge 2 ] || { sed -n '2,7p' "$0" | sed 's/^# \{0,1\}//' >&2; exit 2; }
tenant=$1
for name in "$@"; do
    case $name in
        '' | *[!A-Za-z0-9_-]*) echo "terminal.sh: '$name': only letters, digits, _ and -" >&2; exit 1 ;;
        operator*) echo "terminal.sh: '$name' is not a device id" >&2; exit 1 ;;
    esac
done
shift

# A line for each terminal, with commas between them. [.] instead of a backslash, which JSON doubles.
each() {
    comma=
    line=$1
    shift
    for id in "$@"; do
        printf '%s' "$comma"
        printf '%s\n' "$line" | sed "s/@ID@/$id/g; s/@TENANT@/$tenant/g"
        comma=,
    done
}
user='{"name":"@ID@","password_hash":"","tags":[]}'
queues='mqtt-subscription-@ID@qos[01]'
both="^(amq[.]topic|$queues)\$"
own='^pos[.]1[.]@TENANT@[.]@ID@[.]'
up="$own(state|info|health|backlog|event|hist|res[.][A-Za-z0-9_-]+)\$"
down="$own(cmd[.]([*]|[A-Za-z0-9_-]+)|desired|state)\$"
rights='{"user":"@ID@","vhost":"@TENANT@"'
{
    echo '{"users":['
    each "$user" "$@"
    echo '],"permissions":['
    each "$rights,\"configure\":\"^$queues\$\",\"write\":\"$both\",\"read\":\"$both\"}" "$@"
    echo '],"topic_permissions":['
    each "$rights,\"exchange\":\"amq.topic\",\"write\":\"$up\",\"read\":\"$down\"}" "$@"
    echo ']}'
} | ${RABBITMQCTL:-rabbitmqctl} -q import_definitions
