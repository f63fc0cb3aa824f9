"""What the command line says of Android. A part of `agent.cli.texts`."""

from __future__ import annotations

from collections.abc import Mapping

#: name -> (English, Chinese), a part of `agent.cli.texts.TEXTS`
TEXTS: Mapping[str, tuple[str, str]] = {
    "component.android": ("Android", "安卓"),
    "status.needs": ("needs {right}", "缺少权限 {right}"),
    "android_part.network": ("network", "网络"),
    "android_part.wifi": ("Wi-Fi", "Wi-Fi"),
    "android_part.cellular": ("SIM", "SIM 卡"),
    "android_part.battery": ("battery", "电池"),
    "android_state.unknown": ("unknown", "未知"),
    "android_state.none": ("none", "无"),
    "android_state.yes": ("in use", "使用中"),
    "android_state.wifi": ("Wi-Fi", "Wi-Fi"),
    "android_state.cellular": ("mobile", "移动数据"),
    "android_state.ethernet": ("cable", "有线"),
    "android_state.joined": ("joined", "已连接"),
    "android_state.not_joined": ("not joined", "未连接"),
    "android_state.off": ("off", "已关闭"),
    "android_state.in_service": ("in service", "有服务"),
    "android_state.out_of_service": ("no service", "无服务"),
    "android_state.emergency_only": ("emergency calls only", "仅限紧急呼叫"),
    "android_state.not_fitted": ("not fitted", "未配备"),
    "android_state.told": ("no figure", "无读数"),
}
