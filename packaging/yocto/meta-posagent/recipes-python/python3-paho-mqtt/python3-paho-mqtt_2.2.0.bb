SUMMARY = "MQTT client of Eclipse Paho"
DESCRIPTION = "MQTT 3.1.1 and 5.0; the agent's telemetry goes out through it."
HOMEPAGE = "https://github.com/eclipse-paho/paho.mqtt.python"
BUGTRACKER = "https://github.com/eclipse-paho/paho.mqtt.python/issues"
SECTION = "devel/python"
LICENSE = "EPL-2.0 | BSD-3-Clause"
LIC_FILES_CHKSUM = "file://LICENSE.txt;md5=8e5f264c6988aec56808a3a11e77b913 \
                    file://edl-v10;md5=c09f121939f063aeb5235972be8c722c \
                    file://epl-v20;md5=2dd765ca47a05140be15ebafddbeadfe \
                    "
CVE_PRODUCT = "paho-mqtt"

SRC_URI[sha256sum] = "bcf706f03f1f49e0fc3ae166dc7b67ee35463496f8bdfd7c9c36181f6ba635c9"

inherit pypi python_hatchling

PYPI_PACKAGE = "paho_mqtt"

RDEPENDS:${PN} += "\
    python3-core \
    python3-io \
    python3-logging \
    python3-math \
    python3-netclient \
    python3-threading \
"

BBCLASSEXTEND = "native nativesdk"
