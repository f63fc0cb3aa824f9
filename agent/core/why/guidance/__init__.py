"""What to do about a cause, in the words of somebody who stands at the terminal.

Three things for each code: what to press or do now, what to say to the customer, and when to stop
trying; then whom to call and which references to have at hand. The catalogue itself stays small in
the daemon: a chapter of these texts is loaded when somebody asks about a code of it.

Called by the command line, by the API for the page, and by whoever prints the catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from agent.core.why.guidance.entry import Guidance, Reference, Whom

__all__ = ["FILES", "Guidance", "Reference", "Whom", "chapter", "guidance"]

#: First word of a code -> its file.
_FILES: Mapping[str, str] = {
    "network": "network",
    **dict.fromkeys(("tls", "clock"), "certificates"),
    "printer": "printer",
    **dict.fromkeys(
        ("scanner", "keypad", "power", "system", "device", "security"),
        "devices",
    ),
    "software": "software",
    "config": "configuration",
    **dict.fromkeys(("host", "issuer", "account", "card", "platform", "wallet"), "host"),
    **dict.fromkeys(("settlement", "preauth", "presettlement"), "settlement"),
    **dict.fromkeys(
        (
            "operator",
            "duplicate",
            "fraud",
            "reversal",
            "queue",
            "request",
            "inspection",
            "drill",
            "external",
        ),
        "operation",
    ),
    "fleet": "fleet",
}
#: Codes that stand in another chapter than the rest of their name.
_ELSEWHERE: Mapping[str, str] = {
    **dict.fromkeys(
        ("software.agent_frozen", "account.check_with_bank", "platform.check_with_platform"),
        "operation",
    ),
    "security.exposed_files": "software",
}

#: All files, in the order of the catalogue.
FILES = tuple(dict.fromkeys(_FILES.values()))


def chapter(file: str) -> Mapping[str, Guidance]:
    """All of one file."""
    found: Mapping[str, Guidance] = import_module(f"agent.core.why.guidance.{file}").GUIDANCE
    return found


def guidance(code: str) -> Guidance | None:
    """What to do about `code`; None for one this version does not know."""
    file = _ELSEWHERE.get(code) or _FILES.get(code.partition(".")[0])
    return chapter(file).get(code) if file else None
