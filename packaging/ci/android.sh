#!/bin/sh
# Install what checks the Android part: the SELinux compiler with m4, and a Java compiler for the
# sample client; with --kotlin also Debian's Kotlin. Elsewhere those tests are counted as not run.
set -u
PATH="$PATH:/usr/sbin:/usr/local/sbin"
wanted=
command -v m4 >/dev/null 2>&1 || wanted="$wanted m4"
command -v checkpolicy >/dev/null 2>&1 || wanted="$wanted checkpolicy"
command -v javac >/dev/null 2>&1 || wanted="$wanted openjdk-17-jdk-headless"
if [ "${1:-}" = --kotlin ] && ! command -v kotlinc >/dev/null 2>&1; then wanted="$wanted kotlin"; fi
[ -n "$wanted" ] || exit 0
# shellcheck disable=SC2086  # a list of package names
sh "$(dirname "$0")/debian.sh" "tests of the Android part, which will be counted as not run" $wanted
exit 0
