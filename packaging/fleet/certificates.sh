#!/bin/sh
# A private authority for a fleet, with openssl: P-256 keys, one certificate per terminal whose
# common name is the device id. For pilots, and as the pattern for the authority you already have.
#
#   certificates.sh ca DIR [NAME]                  once; keep ca.key off line afterwards
#   certificates.sh server DIR HOSTNAME...         the broker: DIR/server.pem, DIR/server.key
#   certificates.sh terminal DIR TENANT DEVICE_ID  DIR/DEVICE_ID.pem, DIR/DEVICE_ID.key
#   certificates.sh operator DIR NAME              DIR/NAME.pem; NAME begins with "operator"
#   certificates.sh revoke DIR NAME                DIR/crl.pem names its certificate from now on
#
# DAYS=90 is how long terminals and operators are valid; a terminal renews at two thirds.
set -eu
umask 077
usage() { sed -n '2,12p' "$0" | sed 's/^# \{0,1\}//' >&2; exit 2; }
fail() { echo "certificates.sh: $*" >&2; exit 1; }
[ $# -ge 2 ] || usage
command -v openssl >/dev/null 2>&1 || fail "openssl is not installed"
what=$1 dir=$2
shift 2
days=${DAYS:-90}

# A name becomes a topic level, a file name and a subject: nothing else may be in it.
named() {
    case $1 in
        '' | *[!A-Za-z0-9_-]*) fail "'$1': only letters, digits, _ and -" ;;
    esac
    [ ${#1} -le 64 ] || fail "'$1' is longer than 64"
}

# key_and_certificate FILE SUBJECT DAYS EXTENSIONS
key_and_certificate() {
    [ -f "$dir/ca.key" ] || fail "no authority in $dir: certificates.sh ca $dir"
    [ ! -e "$dir/$1.key" ] || fail "$dir/$1.key is there already"
    openssl ecparam -name prime256v1 -genkey -noout -out "$dir/$1.key"
    printf '%s\n' "$4" 'basicConstraints=critical,CA:FALSE' 'keyUsage=critical,digitalSignature' \
        'authorityKeyIdentifier=keyid' >"$dir/$1.ext"
    openssl req -new -key "$dir/$1.key" -subj "$2" -out "$dir/$1.csr"
    openssl x509 -req -sha256 -in "$dir/$1.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" \
        -CAcreateserial -days "$3" -extfile "$dir/$1.ext" -out "$dir/$1.pem" 2>/dev/null
    rm -f "$dir/$1.csr" "$dir/$1.ext"
}

case $what in
    ca)
        mkdir -p "$dir"
        [ ! -e "$dir/ca.key" ] || fail "$dir/ca.key is there already"
        name=${1:-fleet}
        named "$name"
        openssl ecparam -name prime256v1 -genkey -noout -out "$dir/ca.key"
        openssl req -x509 -new -sha256 -key "$dir/ca.key" -days 3650 -subj "/CN=$name authority" \
            -addext 'basicConstraints=critical,CA:TRUE,pathlen:0' \
            -addext 'keyUsage=critical,keyCertSign,cRLSign' -out "$dir/ca.pem"
        chmod 644 "$dir/ca.pem"
        ;;
    server)
        [ $# -ge 1 ] || usage
        names=
        for name in "$@"; do
            case $name in
                *[!A-Za-z0-9.:-]* | '') fail "'$name' is no host name" ;;
                *[!0-9.:]*) names="$names,DNS:$name" ;;
                *) names="$names,IP:$name" ;;
            esac
        done
        key_and_certificate server "/CN=$1" 397 "extendedKeyUsage=serverAuth
subjectAltName=${names#,}"
        ;;
    terminal)
        [ $# -eq 2 ] || usage
        named "$1"
        named "$2"
        # The names below have rights of their own, or files.
        case $2 in operator* | server | ca) fail "'$2' is not a device id" ;; esac
        key_and_certificate "$2" "/O=$1/CN=$2" "$days" 'extendedKeyUsage=clientAuth'
        ;;
    operator)
        [ $# -eq 1 ] || usage
        named "$1"
        case $1 in operator*) ;; *) fail "an operator's name begins with 'operator'" ;; esac
        key_and_certificate "$1" "/CN=$1" "$days" 'extendedKeyUsage=clientAuth'
        ;;
    revoke)
        [ $# -eq 1 ] || usage
        named "$1"
        touch "$dir/index.txt"
        [ -f "$dir/crlnumber" ] || echo 01 >"$dir/crlnumber"
        printf '%s\n' '[ca]' 'default_ca=it' '[it]' "database=$dir/index.txt" 'default_md=sha256' \
            "crlnumber=$dir/crlnumber" 'default_crl_days=30' >"$dir/ca.cnf"
        set -- -config "$dir/ca.cnf" -cert "$dir/ca.pem" -keyfile "$dir/ca.key" "$1"
        openssl ca -batch -config "$2" -cert "$4" -keyfile "$6" -revoke "$dir/$7.pem" 2>/dev/null
        openssl ca -config "$2" -cert "$4" -keyfile "$6" -gencrl -out "$dir/crl.pem" 2>/dev/null
        chmod 644 "$dir/crl.pem"
        ;;
    *) usage ;;
esac
