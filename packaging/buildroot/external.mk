include $(sort $(wildcard $(BR2_EXTERNAL_POSAGENT_PATH)/package/*/*.mk))
