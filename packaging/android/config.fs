# TARGET_FS_CONFIG_GEN: the user of the agent. The number is the vendor's choice among 7500-7999.
[AID_SYSTEM_EXT_POSAGENT]
value: 7500

[system_ext/bin/posagent]
mode: 0755
user: AID_ROOT
group: AID_SHELL
caps: 0

[system_ext/bin/posagent-prepare]
mode: 0755
user: AID_ROOT
group: AID_SHELL
caps: 0

[system_ext/posagent/bin/*]
mode: 0755
user: AID_ROOT
group: AID_SHELL
caps: 0

[system_ext/posagent/python/bin/*]
mode: 0755
user: AID_ROOT
group: AID_SHELL
caps: 0
