"""What the tables [android] and [inspection] and their keys are for; see `config_reference`."""

from __future__ import annotations

from collections.abc import Mapping

TABLES: Mapping[str, str] = {
    "[android]": "What is read with getprop, dumpsys and cmd where this terminal runs on Android; "
    "docs/operations/android.md.",
    "[inspection]": "The terminal's inspection of itself: all active checks at once, one report.",
}

MEANINGS: Mapping[str, str] = {
    "android.mode": "auto: where /system/build.prop or getprop is there.",
    "android.bin": "Where getprop, dumpsys and cmd are.",
    "android.period_s": "How long an answer counts; no program is started more often for the same "
    "question, unless a person asks.",
    "android.deadline_s": "How long one program may take.",
    "android.packages": "Apps whose versions are told beside those of [software].",
    "inspection.hour": "Hour of the terminal's own day at which it inspects itself, in a quiet "
    "moment; -1: only when asked.",
    "inspection.jitter_s": "Spread over this much after the hour, so that a fleet does not do it "
    "all at once.",
    "inspection.overdue_days": "Without an inspection for so long: inspection.overdue; 0: never.",
    "inspection.keep": "Reports kept on this terminal.",
}
