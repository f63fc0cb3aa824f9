"""Which versions a terminal should have, who says so, and whether that may be believed.

A manifest is addressed and numbered; `refusal` says why one that was offered does not come into
force, each reason in a state of its own. A refused one changes nothing: the last good one stays.
Signatures are checked by whoever has the key before anything here is asked. Called by
`agent.watch.software.manifests`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from agent.core.moment import Moment, at_ms

if TYPE_CHECKING:
    from agent.core.software.wanted import Manifest

#: Of a whole one, with its signatures.
MAX_BYTES = 262_144


class Standing(StrEnum):
    """What was made of an offered manifest."""

    NONE = "none"  #: nobody offered one
    IN_FORCE = "in_force"
    UNREADABLE = "unreadable"
    OVERSIZED = "oversized"
    GARBAGE = "garbage"  #: not the form of a manifest
    UNSIGNED = "unsigned"
    UNKNOWN_KEY = "unknown_key"
    BAD_SIGNATURE = "bad_signature"
    OTHER_TERMINAL = "other_terminal"
    OLDER = "older"  #: its number is not above that of the one in force
    UNKNOWN_COMPONENT = "unknown_component"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    CLOCK_UNKNOWN = "clock_unknown"  #: whether it is valid now cannot be told


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """Whom a manifest may be addressed to."""

    device_id: str
    model: str
    tenant: str
    groups: tuple[str, ...]
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an offered manifest is not in force."""

    standing: Standing
    what: str = ""

    def sentence(self, lang: str) -> str:
        """For people."""
        return sentence(self.standing, lang, self.what)


def sentence(standing: Standing, lang: str, what: str = "") -> str:
    """A standing in one sentence; `what` is its particular."""
    zh, en = _SENTENCES[standing]
    text, colon = (zh, "：") if lang == "zh" else (en, ": ")
    return f"{text}{colon}{what}" if what else text


def refusal(
    offered: Manifest,
    terminal: Terminal,
    *,
    known: frozenset[str],
    in_force: Manifest | None,
    now: Moment,
) -> Refusal | None:
    """Why `offered` cannot come into force; None: it can. `known`: components read here anyway."""
    if elsewhere := _elsewhere(offered, terminal):
        return Refusal(Standing.OTHER_TERMINAL, elsewhere)
    if in_force is not None and _older(offered, in_force):
        return Refusal(Standing.OLDER, f"{offered.sequence} <= {in_force.sequence}")
    strange = [
        one.component
        for one in offered.for_channel(terminal.channel)
        if not one.optional and not one.installed_by and one.component not in known
    ]
    if strange:
        return Refusal(Standing.UNKNOWN_COMPONENT, ", ".join(strange))
    return validity(offered, now)


def validity(manifest: Manifest, now: Moment) -> Refusal | None:
    """Whether its time is now; None: it is."""
    start, end = manifest.valid_from_ms, manifest.expires_ms
    if start is None and end is None:
        return None
    if not now.trusted:
        return Refusal(Standing.CLOCK_UNKNOWN, f"{now.at:%Y-%m-%d %H:%M}Z")
    if start is not None and now.wall_ms < start:
        return Refusal(Standing.NOT_YET_VALID, f"{at_ms(start):%Y-%m-%d %H:%M}Z")
    if end is not None and now.wall_ms >= end:
        return Refusal(Standing.EXPIRED, f"{at_ms(end):%Y-%m-%d %H:%M}Z")
    return None


def _older(offered: Manifest, in_force: Manifest) -> bool:
    # The same number with other content is not the one that is in force either.
    return offered.digest != in_force.digest and offered.sequence <= in_force.sequence


def _elsewhere(offered: Manifest, terminal: Terminal) -> str:
    """What of the address does not fit this terminal."""
    if offered.tenant and offered.tenant != terminal.tenant:
        return f"tenant {offered.tenant}"
    if offered.devices and terminal.device_id not in offered.devices:
        return "device"
    if offered.models and terminal.model not in offered.models:
        return f"model {', '.join(offered.models)}"
    if offered.groups and not set(offered.groups) & set(terminal.groups):
        return f"group {', '.join(offered.groups)}"
    return ""


_SENTENCES: Mapping[Standing, tuple[str, str]] = {
    Standing.NONE: ("未配置版本清单", "no manifest was offered"),
    Standing.IN_FORCE: ("版本清单有效", "the manifest is in force"),
    Standing.UNREADABLE: ("版本清单无法读取", "the manifest cannot be read"),
    Standing.OVERSIZED: ("版本清单过大", "the manifest is too large"),
    Standing.GARBAGE: ("版本清单格式有误", "this is not a manifest"),
    Standing.UNSIGNED: (
        "版本清单没有签名，已拒绝",
        "the manifest is not signed and was refused",
    ),
    Standing.UNKNOWN_KEY: (
        "版本清单由未知密钥签名，已拒绝",
        "the manifest is signed with a key this terminal does not know",
    ),
    Standing.BAD_SIGNATURE: (
        "版本清单签名不符，已拒绝",
        "the manifest's signature is wrong: it was altered or signed with another key",
    ),
    Standing.OTHER_TERMINAL: (
        "版本清单属于其他终端，已拒绝",
        "the manifest is for other terminals",
    ),
    Standing.OLDER: (
        "版本清单比现行的旧，已拒绝",
        "the manifest is older than the one in force",
    ),
    Standing.UNKNOWN_COMPONENT: (
        "版本清单含本终端未知的组件，已拒绝",
        "the manifest names components this terminal does not know",
    ),
    Standing.NOT_YET_VALID: ("版本清单尚未生效", "the manifest is not valid before"),
    Standing.EXPIRED: ("版本清单已过期", "the manifest expired at"),
    Standing.CLOCK_UNKNOWN: (
        "终端时间不可信，无法判断版本清单是否有效",
        "the clock is not trusted, so it cannot be told whether the manifest is valid",
    ),
}
