"""What cannot go together where the fleet's server is not one of our own contract.

Called by `agent.settings.rules` with the merged configuration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agent.settings.problems import Both

#: Key, what was found, the rule.
Found = tuple[str, Any, Both]

#: ThingsBoard ends a session with a hundred messages waiting; half of them are ours to use.
THINGSBOARD_WINDOW = 50


def adapter_rules(merged: Mapping[str, Any]) -> Iterator[Found]:
    """The rules that do not hold."""
    telemetry = merged.get("telemetry", {})
    if telemetry.get("adapter") != "thingsboard" or not telemetry.get("endpoints"):
        return
    if not any(telemetry.get(key) for key in ("username_file", "username", "cert_file")):
        yield (
            "telemetry.adapter",
            "thingsboard",
            (
                "ThingsBoard knows a device by its access token (username_file) or by cert_file",
                "ThingsBoard 通过访问令牌（username_file）或 cert_file 识别设备，必须设置其一",
            ),
        )
    window = telemetry.get("window", 0)
    if window > THINGSBOARD_WINDOW:
        yield (
            "telemetry.window",
            window,
            (
                f"at most {THINGSBOARD_WINDOW}: ThingsBoard drops a session with 100 waiting",
                f"最多 {THINGSBOARD_WINDOW}：积压 100 条消息时 ThingsBoard 会断开会话",
            ),
        )
