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
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "not installed:$wanted: the tests that need them will be counted as not run"
    exit 0
fi
echo "installing$wanted"
# shellcheck disable=SC2086 # names of packages, one a word
{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends $wanted; } >/dev/null 2>&1 ||
    echo "not installable:$wanted: the tests that need them will be counted as not run"
exit 0
