"""Asks Android with getprop and dumpsys, and answers the agent in the hook contract.

Decides how long to wait and which texts are a refusal: Android refuses with exit code 0. What a
dump means is left to `android_dumps`. Plain Python 3.8 or later.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from typing import Any, Callable, Dict

Message = Dict[str, Any]
Ask = Callable[..., str]

CONTRACT = 1
REASON_MAX_CHARACTERS = 300
ASK_DEADLINE_S = 4.0
#: Kept back from the agent's deadline for starting up and answering.
RESERVE_S = 0.7


class Untold(Exception):  # noqa: N818 - not an error of this program
    """Nothing can be said; why, in English and Chinese. `outcome` is that of the contract."""

    def __init__(self, en: str, zh: str, outcome: str = "unknown") -> None:
        super().__init__(en)
        chosen = zh if os.environ.get("LANG", "").lower().startswith("zh") else en
        self.reason = chosen[:REASON_MAX_CHARACTERS]
        self.outcome = outcome


def main(answer: Callable[[Ask], Message], component: str = "") -> int:
    """Answer one request: JSON on stdin, of which only the deadline is used, JSON on stdout."""
    deadline_s = ASK_DEADLINE_S
    if not sys.stdin.isatty():
        try:
            given = json.loads(sys.stdin.read() or "{}")["deadline_ms"] / 1000
            deadline_s = max(0.1, min(ASK_DEADLINE_S, given - RESERVE_S))
        except (ValueError, KeyError, TypeError):
            print("no deadline_ms in the request", file=sys.stderr)
    message: Message = {"contract": CONTRACT}
    end_s = time.monotonic() + deadline_s
    try:
        message.update(answer(lambda *command: ask(max(0.1, end_s - time.monotonic()), *command)))
    except Untold as untold:
        if component:
            message.update(component=component, outcome=untold.outcome, reason=untold.reason)
        else:
            message.update(outcome="unknown", reason=untold.reason)
    json.dump(message, sys.stdout)
    sys.stdout.write("\n")
    return 0


def ask(deadline_s: float, *command: str) -> str:
    """What a command prints. Raises Untold: missing, denied, no such service, too slow, silent."""
    asked = " ".join(command)
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=deadline_s,
            check=False,
        )
    except FileNotFoundError:
        raise Untold(
            f"{command[0]} was not found: this is not Android, or PATH lacks /system/bin",
            f"找不到{command[0]}：本机不是Android，或PATH中没有/system/bin",
        ) from None
    except PermissionError:
        raise Untold(
            f"{command[0]} may not be run: needs a rule for the agent's user (SELinux or mode)",
            f"无权运行{command[0]}：需为代理的用户放行（SELinux或文件权限）",
        ) from None
    except subprocess.TimeoutExpired:
        raise Untold(
            f"{asked} did not answer within {deadline_s:.1f} s",
            f"{asked}在{deadline_s:.1f}秒内没有应答",
        ) from None
    text = done.stdout.decode("utf-8", "replace")
    refusal = refused(text, asked)
    if refusal:
        raise refusal
    if not text.strip():
        raise Untold(f"{asked} printed nothing", f"{asked}没有任何输出")
    return text


def refused(text: str, asked: str) -> Untold | None:
    """The ways Android has of not answering, all of them with exit code 0."""
    head = text[:2000]
    if "Permission Denial" in head or "java.lang.SecurityException" in head:
        return Untold(
            f"{asked} was denied: needs android.permission.DUMP (system signature, or once from "
            "adb: pm grant PACKAGE android.permission.DUMP)",
            f"{asked}被拒绝：需要android.permission.DUMP权限（系统签名，或用adb执行一次"
            "pm grant 包名 android.permission.DUMP）",
        )
    if "Can't find service:" in head:
        return Untold(
            f"{asked}: this firmware has no such service",
            f"{asked}：本固件没有该服务",
            "not_observable",
        )
    if re.search(r"DUMP TIMEOUT \(\d+ms\) EXPIRED", text):
        return Untold(
            f"{asked} was cut off: the service is too slow or hangs",
            f"{asked}被中断：该服务过慢或已挂起",
        )
    return None
