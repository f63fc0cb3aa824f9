SUMMARY = "Serializer and deserializer of ISO 8583 messages"
DESCRIPTION = "Encodes and decodes the messages terminals and acquirers exchange, by a specification given as data."
HOMEPAGE = "https://github.com/knovichikhin/pyiso8583"
BUGTRACKER = "https://github.com/knovichikhin/pyiso8583/issues"
SECTION = "devel/python"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://LICENSE.md;md5=94b6dfa1542ed03f0c62edde07c5e522"
CVE_PRODUCT = "pyiso8583"

SRC_URI[sha256sum] = "0ed8c56920ba79e23e78978e54b0320403445a72ac9fc97aa877cf0afe6fd824"

inherit pypi python_setuptools_build_meta

PYPI_PACKAGE = "pyiso8583"

RDEPENDS:${PN} += "python3-core"

BBCLASSEXTEND = "native nativesdk"
