"""What is told of software, and that `why` names a change before the trouble."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from agent.actions import software, why
from agent.core.health.conditions import Severity
from agent.core.health.tracker import Alarm
from agent.core.moment import to_ms
from agent.core.software.standing import Known, VersionChanged
from agent.core.software.update import Update
from agent.store.software import SoftwareRows
from agent.watch.software.room import Left
from agent.wire.api import Nothing
from agent.wire.software import UpdateArgs
from tests.actions.desk import AT, Desktop, code_of, on_desk

CHANGED = VersionChanged(
    component="acme-pay",
    at_ms=to_ms(AT) - 600_000,
    noticed_ms=to_ms(AT) - 300_000,
    before="1.0",
    after="2.0",
)
KNOWN = Known(component="acme-pay", version="2.0", since_ms=CHANGED.at_ms, seen_ms=to_ms(AT))
UPDATE = Update(
    update="u1", component="acme-pay", package="acme-pay", version="2.0", before="1.0",
    file="/u", sha256="0" * 64, size_bytes=1,
)  # fmt: skip


async def kept(desktop: Desktop) -> Left:
    """As it stands in a real state.db."""
    rows = SoftwareRows(desktop.store)
    await rows.save([KNOWN], [CHANGED])
    return Left(await rows.load(), await rows.changes(10), [UPDATE])


def test_why_says_what_changed_before(tmp_path: Path) -> None:
    """The app keeps crashing since ten minutes after its update: both times are named."""

    async def asked(desktop: Desktop) -> None:
        began = AT - timedelta(minutes=5)
        crashing = Alarm(
            code="software.app_crashing", component="payment_app", severity=Severity.MAJOR,
            since_at=began, shown_at=began, args={}, flaps=0, suppressed_by="",
        )  # fmt: skip
        desktop.tracker.open = [crashing]
        ports = replace(desktop.ports, software=await kept(desktop))
        told = await why.verdict(ports, None)
        found = next(one for one in told.findings if one.code == "software.recently_changed")
        assert found.args["what"] == "acme-pay 1.0 → 2.0"
        assert (found.args["changed_at"], found.args["failed_at"]) == (
            AT - timedelta(minutes=10), began,
        )  # fmt: skip
        # A version that is behind is not trouble an earlier change has caused.
        desktop.tracker.open = [replace(crashing, code="software.outdated")]
        codes = [one.code for one in (await why.verdict(ports, None)).findings]
        assert codes == ["software.outdated"]

    on_desk(tmp_path, asked)


def test_a_dead_daemon_left_versions_changes_and_updates(tmp_path: Path) -> None:
    """Nothing is said of a manifest, for nobody has read one; nothing can be begun."""

    async def asked(desktop: Desktop) -> None:
        ports = replace(desktop.ports, software=await kept(desktop))
        told = await software.show(ports, Nothing())
        assert told.manifest is None
        assert [(one.component, one.installed) for one in told.components] == [("acme-pay", "2.0")]
        assert [(one.before, one.after) for one in told.changes] == [("1.0", "2.0")]
        assert [(one.update, one.phase) for one in told.updates] == [("u1", "pending")]
        assert await code_of(software.begin(ports, UpdateArgs(update="u1"))) == "daemon.down"
        nothing = await software.show(desktop.ports, Nothing())
        assert (nothing.components, nothing.updates) == ([], [])

    on_desk(tmp_path, asked)
