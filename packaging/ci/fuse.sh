#!/bin/sh
# Install what mounts a file system of one's own, where that is possible without asking: as root on
# Debian. Elsewhere the crash rigs that need it are counted as not run.
set -u
command -v fusermount3 >/dev/null 2>&1 && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "fuse3 is not installed: power cuts and failing flash will be counted as not run"
    exit 0
fi
echo "installing fuse3"
{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends fuse3; } >/dev/null 2>&1 ||
    echo "fuse3 could not be installed: those rigs will be counted as not run"
exit 0
