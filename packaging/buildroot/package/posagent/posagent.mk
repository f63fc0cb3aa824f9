################################################################################
#
# posagent
#
################################################################################

POSAGENT_VERSION = 0.1.0
POSAGENT_SOURCE = posagent-$(POSAGENT_VERSION).tar.gz
POSAGENT_SITE = $(BR2_EXTERNAL_POSAGENT_PATH)/archives
POSAGENT_SITE_METHOD = file
BR_NO_CHECK_HASH_FOR += $(POSAGENT_SOURCE)
POSAGENT_SETUP_TYPE = pep517
POSAGENT_DEPENDENCIES = host-python-setuptools
POSAGENT_LICENSE = Apache-2.0
POSAGENT_LICENSE_FILES = LICENSE

# `agent` is too common a name for the system's own site-packages: an environment of its own, over
# the libraries of the system.
POSAGENT_HOME = $(TARGET_DIR)/opt/posagent
POSAGENT_SITE_PACKAGES = lib/python$(PYTHON3_VERSION_MAJOR)/site-packages

define POSAGENT_OWN_ENVIRONMENT
	mkdir -p $(POSAGENT_HOME)/bin $(POSAGENT_HOME)/$(POSAGENT_SITE_PACKAGES)
	rm -rf $(POSAGENT_HOME)/$(POSAGENT_SITE_PACKAGES)/*
	mv $(TARGET_DIR)/usr/$(POSAGENT_SITE_PACKAGES)/agent \
		$(TARGET_DIR)/usr/$(POSAGENT_SITE_PACKAGES)/posagent-$(POSAGENT_VERSION).dist-info \
		$(POSAGENT_HOME)/$(POSAGENT_SITE_PACKAGES)/
	cd $(POSAGENT_HOME)/$(POSAGENT_SITE_PACKAGES)/agent && rm -rf sim fleet conformance
	ln -sf /usr/bin/python3 $(POSAGENT_HOME)/bin/python
	printf 'home = /usr/bin\ninclude-system-site-packages = true\n' \
		> $(POSAGENT_HOME)/pyvenv.cfg
	$(INSTALL) -m 0755 $(POSAGENT_PKGDIR)/posagent-keep $(POSAGENT_HOME)/bin/posagent-keep
	printf '#!/bin/sh\nexec /opt/posagent/bin/python -I -m agent "$$@"\n' \
		> $(POSAGENT_HOME)/bin/posagent
	printf '#!/bin/sh\nexec /opt/posagent/bin/python -I -m agent.actions_service "$$@"\n' \
		> $(POSAGENT_HOME)/bin/posagent-actions
	chmod 0755 $(POSAGENT_HOME)/bin/posagent $(POSAGENT_HOME)/bin/posagent-actions
	ln -sf /opt/posagent/bin/posagent $(TARGET_DIR)/usr/bin/posagent
	ln -sf /opt/posagent/bin/posagent-actions $(TARGET_DIR)/usr/bin/posagent-actions
	mkdir -p $(TARGET_DIR)/etc/posagent/conf.d $(TARGET_DIR)/etc/posagent/hooks.d \
		$(TARGET_DIR)/etc/posagent/actions.d
	$(INSTALL) -m 0644 $(@D)/packaging/posagent.toml $(TARGET_DIR)/etc/posagent/posagent.toml
endef
POSAGENT_POST_INSTALL_TARGET_HOOKS += POSAGENT_OWN_ENVIRONMENT

define POSAGENT_USERS
	posagent -1 posagent -1 * /var/lib/posagent - dialout,input,lp Agent of the terminal
endef

define POSAGENT_INSTALL_INIT_SYSTEMD
	$(INSTALL) -D -m 0644 $(@D)/packaging/systemd/posagent.service \
		$(TARGET_DIR)/usr/lib/systemd/system/posagent.service
endef

define POSAGENT_INSTALL_INIT_SYSV
	$(INSTALL) -D -m 0755 $(POSAGENT_PKGDIR)/S80posagent $(TARGET_DIR)/etc/init.d/S80posagent
endef

$(eval $(python-package))
