"""`getprop`: the properties of the system, `[key]: [value]` a line, in all versions alike."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from agent.watch.android.asking import Question

#: Only what is used: a terminal has a thousand of them, some about its owner.
_WANTED = (
    rb"ro\.product\.|ro\.build\.|ro\.vendor\.build\.|ro\.boot\.bootreason|sys\.boot\.reason|"
    rb"ro\.bootloader|gsm\.sim\.state|gsm\.network\.type|gsm\.operator\.numeric|"
    rb"gsm\.operator\.isroaming|gsm\.version\.baseband|ro\.board\.|sys\.boot_completed|net\.dns"
)
QUESTION = Question(
    name="getprop", command=("getprop",), keep=re.compile(rb"^\[(?:" + _WANTED + rb")")
)
VALUE_CHARS = 200
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_LINE = re.compile(r"^\[([^\]\n]{1,128})\]: \[(.*)\]\s*$")
_NOTHING = ("", "unknown", "null")


def properties(text: str) -> dict[str, str]:
    """The properties; lines that are none are left out."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        told = _LINE.match(line)
        if told is not None:
            found[told[1]] = told[2].strip()[:VALUE_CHARS]
    return found


def one_property(text: str) -> str:
    """What `getprop NAME` answers."""
    return text.strip().split("\n")[0].strip()[:VALUE_CHARS]


def asked_for(name: str) -> Question | None:
    """One property by its name; None for what is no name of one: it becomes an argument."""
    if not NAME.fullmatch(name):
        return None
    return Question(name=f"getprop {name}", command=("getprop", name), keep=re.compile(rb""))


def identity(had: Mapping[str, str]) -> dict[str, str]:
    """Maker, model, Android and firmware; what is not told is left out."""
    firmware = had.get("ro.build.display.id") or had.get("ro.build.fingerprint", "")
    found = {
        "make": had.get("ro.product.manufacturer", ""),
        "model": had.get("ro.product.model", ""),
        "android": had.get("ro.build.version.release", ""),
        "sdk": had.get("ro.build.version.sdk", ""),
        "security_patch": had.get("ro.build.version.security_patch", ""),
        "firmware": firmware,
        "firmware_incremental": had.get("ro.build.version.incremental", ""),
        "modem": _first(had.get("gsm.version.baseband", "")),
        "boot_reason": had.get("ro.boot.bootreason") or had.get("sys.boot.reason", ""),
    }
    return {name: value for name, value in found.items() if value.lower() not in _NOTHING}


def by_slot(had: Mapping[str, str], name: str) -> Sequence[str]:
    """A property with one value for each SIM slot: `LOADED,ABSENT`."""
    text = had.get(name, "")
    return [one.strip() for one in text.split(",")] if text else []


def _first(text: str) -> str:
    return text.split(",", maxsplit=1)[0].strip()
