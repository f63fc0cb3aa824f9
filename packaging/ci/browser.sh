#!/bin/sh
# Install Debian's Chromium, its driver and a Chinese font where that is possible without asking: as
# root on Debian. Elsewhere the tests of the page are counted as not run, and without the font its
# pictures show boxes.
set -u
wanted=
command -v chromium >/dev/null 2>&1 || wanted="$wanted chromium"
command -v chromedriver >/dev/null 2>&1 || wanted="$wanted chromium-driver"
[ -n "$(fc-list ':lang=zh-cn' 2>/dev/null | head -n 1)" ] ||
    wanted="$wanted fontconfig fonts-dejavu-core fonts-wqy-microhei"
[ -n "$wanted" ] || exit 0
# shellcheck disable=SC2086  # a list of package names
sh "$(dirname "$0")/debian.sh" "the tests of the page, which will be counted as not run" $wanted
exit 0
