#!/bin/sh
# Starts @PROGRAM@ with the interpreter of this folder, wherever the folder lies and through
# whatever links this file is called.
set -eu
here=$0
while [ -L "$here" ]; do
    to=$(readlink "$here")
    case $to in
        /*) here=$to ;;
        *) here=${here%/*}/$to ;;
    esac
done
case $here in
    */*) here=${here%/*} ;;
    *) here=. ;;
esac
here=$(CDPATH='' cd -P -- "$here/.." && pwd)
if [ ! -x "$here/bin/python" ]; then
    echo "posagent: found no interpreter at $(readlink "$here/bin/python" || echo "$here/bin/python"); needed is Python @PYTHON@ with the tag @TAG@" >&2
    echo "  what to do: install Python @PYTHON@, or make $here/bin/python a link to it" >&2
    echo "posagent: 在 $(readlink "$here/bin/python" || echo "$here/bin/python") 未找到解释器；需要 Python @PYTHON@（标签 @TAG@）" >&2
    echo "  处理办法：安装 Python @PYTHON@，或让 $here/bin/python 指向它" >&2
    exit 78
fi
exec "$here/bin/python" -I "$here/start.py" @PROGRAM@ "$@"
