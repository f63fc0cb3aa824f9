################################################################################
#
# posagent-msgspec
#
################################################################################

POSAGENT_MSGSPEC_VERSION = 0.22.0
POSAGENT_MSGSPEC_SOURCE = msgspec-$(POSAGENT_MSGSPEC_VERSION).tar.gz
POSAGENT_MSGSPEC_SITE = $(BR2_EXTERNAL_POSAGENT_PATH)/archives
POSAGENT_MSGSPEC_SITE_METHOD = file
POSAGENT_MSGSPEC_SETUP_TYPE = setuptools
POSAGENT_MSGSPEC_LICENSE = BSD-3-Clause
POSAGENT_MSGSPEC_LICENSE_FILES = LICENSE
POSAGENT_MSGSPEC_DEPENDENCIES = host-python-setuptools-scm
# The archive has no git beside it to take the version from.
POSAGENT_MSGSPEC_ENV = SETUPTOOLS_SCM_PRETEND_VERSION=$(POSAGENT_MSGSPEC_VERSION)

$(eval $(python-package))
