SUMMARY = "QR Code and Micro QR Code generator in plain Python"
DESCRIPTION = "Makes QR codes as matrices, text or images without other libraries; used for diagnostic slips."
HOMEPAGE = "https://github.com/heuer/segno"
BUGTRACKER = "https://github.com/heuer/segno/issues"
SECTION = "devel/python"
LICENSE = "BSD-3-Clause"
LIC_FILES_CHKSUM = "file://LICENSE;md5=5d59d1644383230a2e3a4dd6bdd05676"
CVE_PRODUCT = "segno"

SRC_URI[sha256sum] = "e60933afc4b52137d323a4434c8340e0ce1e58cec71439e46680d4db188f11b3"

inherit pypi python_flit_core

PYPI_PACKAGE = "segno"

RDEPENDS:${PN} += "\
    python3-compression \
    python3-core \
    python3-xml \
"

BBCLASSEXTEND = "native nativesdk"
