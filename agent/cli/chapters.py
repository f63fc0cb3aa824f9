"""The commands by what a person wants: how `posagent --help` lists them.

Loaded only when that page is asked for. A command without a chapter would not be listed, which a
test forbids.
"""

from __future__ import annotations

#: (name of the heading in `texts`, the commands below it in their order)
CHAPTERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("chapter.look", ("status", "why", "queue", "causes", "page", "slip", "stats")),
    ("chapter.examine", ("inspect", "probe", "verify", "config", "alarm", "bundle", "audit")),
    ("chapter.money", ("check", "reconcile", "drill", "backup", "restore", "salvage", "key")),
    ("chapter.image", ("provision", "selftest", "hooks", "run")),
    ("chapter.update", ("guard", "software", "update", "journal")),
    ("chapter.afar", ("fleet", "conformance", "demo", "sim")),
)
