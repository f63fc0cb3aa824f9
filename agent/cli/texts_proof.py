"""What the commands say that explain, reconcile and prove; a part of `agent.cli.texts`.

Joins one file per command (`texts_<command>.py`); the short ones stand here.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent.cli import (
    texts_bundle,
    texts_causes,
    texts_drill,
    texts_guard,
    texts_journal,
    texts_page,
    texts_provision,
    texts_reconcile,
    texts_selftest,
    texts_slip,
)

#: name -> (English, Chinese), a part of `agent.cli.texts.TEXTS`
TEXTS: Mapping[str, tuple[str, str]] = {
    **texts_drill.TEXTS,
    **texts_journal.TEXTS,
    **texts_page.TEXTS,
    "help.why": ("why money has not arrived", "款项为何未到账"),
    "help.why.late": (
        "payments that should have arrived at once and have not",
        "该实时到账而未到的交易",
    ),
    "help.why.settlement": (
        "batches not closed or not agreed, and what the acquirer's list says",
        "未结算或不一致的批次，以及收单机构清单的情况",
    ),
    "help.why.preauth": (
        "pre-authorisations nobody completed",
        "未完成的预授权",
    ),
    "help.why.slip": (
        "why the pre-settlement slip is not made",
        "预结算单为何未生成",
    ),
    "help.why.key": (
        "key of one payment; without: this terminal",
        "某笔交易的键；不填则解释整台终端",
    ),
    **texts_causes.TEXTS,
    **texts_bundle.TEXTS,
    **texts_reconcile.TEXTS,
    **texts_slip.TEXTS,
    **texts_selftest.TEXTS,
    **texts_provision.TEXTS,
    **texts_guard.TEXTS,
}
