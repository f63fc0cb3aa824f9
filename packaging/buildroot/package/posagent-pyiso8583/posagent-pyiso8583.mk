################################################################################
#
# posagent-pyiso8583
#
################################################################################

POSAGENT_PYISO8583_VERSION = 4.0.1
POSAGENT_PYISO8583_SOURCE = pyiso8583-$(POSAGENT_PYISO8583_VERSION).tar.gz
POSAGENT_PYISO8583_SITE = $(BR2_EXTERNAL_POSAGENT_PATH)/archives
POSAGENT_PYISO8583_SITE_METHOD = file
POSAGENT_PYISO8583_SETUP_TYPE = setuptools
POSAGENT_PYISO8583_LICENSE = MIT
POSAGENT_PYISO8583_LICENSE_FILES = LICENSE.md

$(eval $(python-package))
