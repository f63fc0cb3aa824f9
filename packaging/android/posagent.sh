#!/system/bin/sh
# What init starts: the agent, with the folders Android has no usual places for.
set -eu
data=${POSAGENT_DATA:-/data/misc/posagent}
here=${POSAGENT_HOME:-/system_ext/posagent}
# SQLite and Python look for /var/tmp and /tmp, which Android has not.
export TMPDIR="$data/tmp" SQLITE_TMPDIR="$data/tmp" HOME="$data"
export PATH=/system/bin
# Where the interpreter has its own libraries; their names (…_python.so) hide none of Android.
export LD_LIBRARY_PATH="$here/python/lib"
exec /system/bin/sh "$here/bin/posagent" "$@"
