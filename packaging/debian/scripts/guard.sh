# What every one of these scripts asks before it lets go: is money unsent? Sourced at build time.
agent=/opt/posagent/bin/posagent
state=/var/lib/posagent
flag=/etc/posagent/force-removal
# Beside the store, not in it: root writes nothing where the agent's user could put a link.
sealed=/var/lib/posagent.clear
# What has been written down already in this run of dpkg.
said=/run/posagent.forced

# flagged: a person has said so, and lately: what lies there since long ago was meant for then.
flagged() {
    [ -s "$flag" ] && [ -n "$(find "$flag" -mmin -1440)" ]
}

# written FOR: has it been written down? Asked again in one run of dpkg, it is not once more.
written() {
    this="$PPID $1 $(cksum <"$flag")"
    [ "$this" = "$(cat "$said" 2>/dev/null || :)" ]
}

# store: is there any of one?
store() {
    for one in "$state"/journal.db* "$state/quarantine"; do
        if [ -e "$one" ]; then return 0; fi
    done
    return 1
}

# refused FOR CODE: say it once more where a person looks, and end.
refused() {
    case $1 in
        removal) what=卸载 ;;
        purge) what=彻底清除 ;;
        downgrade) what=降级 ;;
        *) what=$1 ;;
    esac
    {
        if [ "$2" -eq 10 ]; then
            echo "posagent: $1 refused: money is unsent on this terminal."
            echo "posagent: 已拒绝$what：本终端有未上送的款项。"
        else
            echo "posagent: $1 refused: it cannot be told whether money is unsent on this terminal."
            echo "posagent: 已拒绝$what：无法判断本终端是否有未上送的款项。"
        fi
        if [ ! -x "$agent" ]; then
            echo "  next: install the package again, then posagent why"
            echo "  处理办法：重新安装本软件包，再运行 posagent why"
        else
            echo "  next: posagent why"
            echo "  处理办法：posagent why"
        fi
        if [ "$1" = downgrade ]; then
            echo "  or, with the agent stopped, have the older version take it over:"
            echo "  或停止 posagent 后，由旧版本接管："
            echo "        posagent journal step-down --to $older"
        fi
        echo "  or, knowing that it may be lost:  echo 'who, why' > $flag"
        echo "  若明知可能丢失仍要继续：  echo '何人、原因' > $flag"
        if [ -s "$flag" ] && ! flagged; then
            echo "  (what is in it now is more than a day old and does not count)"
            echo "  （其中现有内容已超过一天，无效）"
        fi
    } >&2
    exit 1
}

# guarded FOR: ends the script with 1 unless nothing is unsent or the flag holds a reason.
guarded() {
    [ -x "$agent" ] || { unguarded "$1"; return 0; }
    code=0
    told=$("$agent" guard --for "$1" 2>&1) || code=$?
    case $code in
        10 | 11)
            if flagged; then
                if written "$1"; then return 0; fi
                code=0
                told=$("$agent" guard --for "$1" --force --reason-file "$flag" 2>&1) || code=$?
                [ "$code" -ne 0 ] || echo "$this" >"$said" || :
            fi
            ;;
    esac
    [ -z "$told" ] || echo "$told" >&2
    case $code in
        0) ;;
        1 | 70 | 78 | 126 | 127 | 1[3-9][0-9]) unguarded "$1" ;; # it does not run: Python is gone, …
        *) refused "$1" "$code" ;;
    esac
}

# fits SCHEMA: refused unless this older version, which knows SCHEMA, can work with the journal.
fits() {
    if [ ! -e "$state/journal.db" ] || flagged; then return 0; fi
    told=$("$agent" journal show --json 2>/dev/null || :)
    from=$(echo "$told" | sed -n 's/.*"readable_from": \([0-9]*\).*/\1/p')
    # A daemon that runs keeps the journal at what it knows.
    [ -n "$from" ] || from=$(echo "$told" | sed -n 's/.*"this_version_knows": \([0-9]*\).*/\1/p')
    [ -n "$from" ] || refused downgrade 11
    [ "$from" -gt "$1" ] || return 0
    {
        echo "posagent: downgrade refused: the journal is of schema $from, this version knows $1."
        echo "posagent: 已拒绝（downgrade）：账本为格式 $from，此版本只支持到格式 $1。"
        echo "  next, with the agent stopped:  posagent journal step-down --to $1"
        echo "  处理办法（先停止 posagent）：  posagent journal step-down --to $1"
    } >&2
    exit 1
}

# unguarded FOR: the program is not there to ask. Without a store nothing can be lost.
unguarded() {
    store || return 0
    if flagged; then
        written "$1" || { forced "$1"; echo "$this" >"$said" || :; }
        return 0
    fi
    refused "$1" 11
}

# forced FOR: the line that outlives package and store.
forced() {
    install -d -m 0750 /var/log/posagent
    printf '%s %s forced uid=%s reason=%s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$1" \
        "${SUDO_UID-$(id -u)}" "$(head -c 200 "$flag" | tr -c '[:print:]\200-\377' ' ')" \
        >>/var/log/posagent/forced
    sync /var/log/posagent/forced /var/log/posagent
}

# What systemd knows of, where it runs.
service() {
    if [ -d /run/systemd/system ]; then
        systemctl "$@"
    fi
}
