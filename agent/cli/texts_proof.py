"""What the commands say that explain, reconcile and prove; a part of `agent.cli.texts`.

Joins one file per command (`texts_<command>.py`); the short ones stand here.
"""

from __future__ import annotations

from collections.abc import Mapping

#: name -> (English, Chinese), a part of `agent.cli.texts.TEXTS`
TEXTS: Mapping[str, tuple[str, str]] = {
    "help.why": ("why money has not arrived", "款项为何未到账"),
    "help.why.key": (
        "key of one payment; without: this terminal",
        "某笔交易的键；不填则解释整台终端",
    ),
    "help.causes": ("the catalogue of causes", "原因目录"),
    "help.causes.code": ("one cause, or the beginning of several", "一个原因代码，或其开头"),
}
