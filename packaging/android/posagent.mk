# For the device's product makefile: $(call inherit-product, …/posagent/posagent.mk)
LOCAL_POSAGENT := $(dir $(lastword $(MAKEFILE_LIST)))

PRODUCT_PACKAGES += posagent
TARGET_FS_CONFIG_GEN += $(LOCAL_POSAGENT)config.fs
SYSTEM_EXT_PRIVATE_SEPOLICY_DIRS += $(LOCAL_POSAGENT)sepolicy/private
PRODUCT_COPY_FILES += \
    $(call find-copy-subdir-files,*,$(LOCAL_POSAGENT)tree,$(TARGET_COPY_OUT_SYSTEM_EXT)/posagent)
# BoardConfig.mk must allow compiled files among them:
#   BUILD_BROKEN_ELF_PREBUILT_PRODUCT_COPY_FILES := true
