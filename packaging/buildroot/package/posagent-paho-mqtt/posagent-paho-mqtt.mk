################################################################################
#
# posagent-paho-mqtt
#
################################################################################

POSAGENT_PAHO_MQTT_VERSION = 2.2.0
POSAGENT_PAHO_MQTT_SOURCE = paho_mqtt-$(POSAGENT_PAHO_MQTT_VERSION).tar.gz
POSAGENT_PAHO_MQTT_SITE = $(BR2_EXTERNAL_POSAGENT_PATH)/archives
POSAGENT_PAHO_MQTT_SITE_METHOD = file
POSAGENT_PAHO_MQTT_SETUP_TYPE = hatch
POSAGENT_PAHO_MQTT_LICENSE = EPL-2.0 or BSD-3-Clause
POSAGENT_PAHO_MQTT_LICENSE_FILES = LICENSE.txt epl-v20 edl-v10

$(eval $(python-package))
