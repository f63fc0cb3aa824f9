"""What the tables [drill] and [stats] and their keys are for; see `config_reference`."""

from __future__ import annotations

from collections.abc import Mapping

TABLES: Mapping[str, str] = {
    "[drill]": "An outage exercised on this terminal with marked records that cannot reach a host; "
    "docs/drill.md.",
    "[stats]": "What `posagent stats` counts as late; docs/statistics.md.",
}

MEANINGS: Mapping[str, str] = {
    "drill.every_days": "Without a passed drill for so long: drill.overdue; 0: never.",
    "drill.scheduled": "Make one by itself when it is overdue, while nobody pays; never with a "
    "restart of the agent.",
    "drill.records": "Marked records of a drill made by itself.",
    "drill.keep": "Reports kept on this terminal.",
    "stats.late_after_s": "A payment confirmed later than this after its capture is late.",
}
