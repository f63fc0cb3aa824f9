SUMMARY = "Fast serialization and validation of JSON and TOML against types"
DESCRIPTION = "Decodes JSON into declared types and checks it on the way; the agent's contracts and configuration rest on it."
HOMEPAGE = "https://github.com/jcrist/msgspec"
BUGTRACKER = "https://github.com/jcrist/msgspec/issues"
SECTION = "devel/python"
LICENSE = "BSD-3-Clause"
LIC_FILES_CHKSUM = "file://LICENSE;md5=c21402f8022478021f697044388b97c4"
DEPENDS = "python3-setuptools-scm-native"
CVE_PRODUCT = "msgspec"

SRC_URI[sha256sum] = "0a13624a4969159fe35d8c2a3d377b2b61bbd8585e327440d5e52725affcce38"

inherit pypi python_setuptools_build_meta

PYPI_PACKAGE = "msgspec"

# The source archive has no git beside it to take the version from.
export SETUPTOOLS_SCM_PRETEND_VERSION = "${PV}"

RDEPENDS:${PN} += "\
    python3-core \
    python3-datetime \
    python3-json \
"

BBCLASSEXTEND = "native nativesdk"
