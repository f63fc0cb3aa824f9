SUMMARY = "Delivers every payment of a terminal once and says what is wrong"
DESCRIPTION = "Takes payments from the payment app, delivers each exactly once, watches the terminal and tells the fleet."
SECTION = "net"
LICENSE = "Apache-2.0"
LIC_FILES_CHKSUM = "file://LICENSE;md5=3b83ef96387f14655fc854ddc3c6bd57"
CVE_PRODUCT = "posagent"

# Not published anywhere: an archive of the source beside this recipe, see the layer's README.
SRC_URI = "\
    file://posagent-${PV}.tar.gz \
    file://posagent.init \
"

inherit python_setuptools_build_meta useradd systemd update-rc.d

SYSTEMD_SERVICE:${PN} = "posagent.service"
SYSTEMD_AUTO_ENABLE = "enable"
INITSCRIPT_NAME = "posagent"
INITSCRIPT_PARAMS = "defaults 80 20"

USERADD_PACKAGES = "${PN}"
USERADD_PARAM:${PN} = "--system --user-group --home-dir ${localstatedir}/lib/posagent --no-create-home --shell /sbin/nologin --groups dialout,input,lp posagent"

# `agent` is too common a name for the system's own site-packages: an environment of its own, over
# the libraries of the system.
POSAGENT_HOME = "/opt/posagent"
POSAGENT_SITE = "${POSAGENT_HOME}/lib/${PYTHON_DIR}/site-packages"

do_install:append() {
    install -d ${D}${POSAGENT_SITE} ${D}${POSAGENT_HOME}/bin
    for part in agent posagent-${PV}.dist-info; do
        mv ${D}${PYTHON_SITEPACKAGES_DIR}/$part ${D}${POSAGENT_SITE}/
    done
    rm -rf ${D}${PYTHON_SITEPACKAGES_DIR}
    # What belongs to an operator's computer and not to a terminal.
    rm -rf ${D}${POSAGENT_SITE}/agent/sim ${D}${POSAGENT_SITE}/agent/fleet ${D}${POSAGENT_SITE}/agent/conformance
    ln -s ${bindir}/python3 ${D}${POSAGENT_HOME}/bin/python
    printf 'home = %s\ninclude-system-site-packages = true\n' ${bindir} > ${D}${POSAGENT_HOME}/pyvenv.cfg

    rm -f ${D}${bindir}/posagent ${D}${bindir}/posagent-actions
    for program in agent:posagent agent.actions_service:posagent-actions; do
        printf '#!/bin/sh\nexec %s/bin/python -I -m %s "$@"\n' ${POSAGENT_HOME} ${program%%:*} > ${D}${POSAGENT_HOME}/bin/${program##*:}
        chmod 0755 ${D}${POSAGENT_HOME}/bin/${program##*:}
        install -d ${D}${bindir}
        ln -s ${POSAGENT_HOME}/bin/${program##*:} ${D}${bindir}/${program##*:}
    done

    install -d ${D}${sysconfdir}/posagent/conf.d ${D}${sysconfdir}/posagent/hooks.d ${D}${sysconfdir}/posagent/actions.d
    install -m 0644 ${S}/packaging/posagent.toml ${D}${sysconfdir}/posagent/posagent.toml

    if ${@bb.utils.contains('DISTRO_FEATURES', 'systemd', 'true', 'false', d)}; then
        install -d ${D}${systemd_system_unitdir}
        install -m 0644 ${S}/packaging/systemd/posagent.service ${D}${systemd_system_unitdir}/
    fi
    if ${@bb.utils.contains('DISTRO_FEATURES', 'sysvinit', 'true', 'false', d)}; then
        install -D -m 0755 ${UNPACKDIR}/posagent.init ${D}${sysconfdir}/init.d/posagent
        install -D -m 0755 ${S}/packaging/buildroot/package/posagent/posagent-keep ${D}${POSAGENT_HOME}/bin/posagent-keep
    fi
}

FILES:${PN} += "${POSAGENT_HOME} ${systemd_system_unitdir}"

RDEPENDS:${PN} += "\
    python3-asyncio \
    python3-compile \
    python3-compression \
    python3-core \
    python3-crypt \
    python3-datetime \
    python3-difflib \
    python3-email \
    python3-fcntl \
    python3-h11 \
    python3-io \
    python3-jeepney \
    python3-json \
    python3-logging \
    python3-math \
    python3-msgspec \
    python3-netclient \
    python3-numbers \
    python3-paho-mqtt \
    python3-pyiso8583 \
    python3-pynacl \
    python3-pyserial \
    python3-resource \
    python3-shell \
    python3-sqlite3 \
    python3-terminal \
    python3-threading \
    python3-tomllib \
    python3-unixadmin \
    python3-xml \
"
CONFFILES:${PN} = "${sysconfdir}/posagent/posagent.toml"
