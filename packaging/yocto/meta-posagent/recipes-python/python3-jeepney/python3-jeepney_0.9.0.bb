SUMMARY = "Low-level D-Bus protocol in plain Python"
DESCRIPTION = "Messages of D-Bus and the way they go over a socket; used to ask ModemManager about a terminal's modem."
HOMEPAGE = "https://gitlab.com/takluyver/jeepney"
BUGTRACKER = "https://gitlab.com/takluyver/jeepney/issues"
SECTION = "devel/python"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://LICENSE;md5=aad69c93f605003e3342b174d9b0708c"
CVE_PRODUCT = "jeepney"

SRC_URI[sha256sum] = "cf0e9e845622b81e4a28df94c40345400256ec608d0e55bb8a3feaa9163f5732"

inherit pypi python_flit_core

PYPI_PACKAGE = "jeepney"

RDEPENDS:${PN} += "\
    python3-asyncio \
    python3-core \
    python3-io \
    python3-threading \
"

BBCLASSEXTEND = "native nativesdk"
