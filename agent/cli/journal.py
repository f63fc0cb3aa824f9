"""`posagent journal show|step-down --to N`: the journal's schema, on the way to another version.

Both work on the files, with no daemon running. Stepping down is what the newer version does before
an older one is put in force again (docs/operations/updates.md); it is written down in the log, and
the journal itself says when it happened.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import asdict

from agent.cli.as_owner import as_owner
from agent.cli.session import Exit, Session
from agent.cli.source import places
from agent.clock import SystemClock
from agent.errors import StoreError


def journal(session: Session) -> int:
    """Show it, or bring it down."""
    from agent.store import stepdown

    where = places(session)
    t, screen = session.words, session.screen
    if session.args.order == "step-down":
        # Root's files would be in the way of the user the agent runs as.
        directory = where.state_dir
        with as_owner(directory) if directory.is_dir() else nullcontext():
            done = stepdown.step_down(directory, session.args.to, SystemClock().now())
        if session.json:
            session.print_json(asdict(done))
            return Exit.OK
        name = "journal.there" if done.found == done.schema else "journal.stepped"
        screen.text(
            t(
                name, schema=done.schema, found=done.found, records=done.records,
                unsent=done.unsent,
            )
        )  # fmt: skip
        if done.put_by:
            screen.text(t("journal.put_by", tables=", ".join(done.put_by)))
        return Exit.OK
    try:
        said = stepdown.look(where.state_dir)
    except StoreError as error:
        if error.code != "store.busy":
            raise
        # The daemon works on it. Hooks ask what a version knows before they replace it.
        if session.json:
            session.print_json(stepdown.known())
        else:
            screen.text(t("journal.busy", knows=stepdown.known()["this_version_knows"]))
        return Exit.OK
    knows = said["this_version_knows"]
    usable = Exit.OK if said["readable_from"] <= knows else Exit.FOUND
    if session.json:
        session.print_json(said)
        return usable
    screen.text(
        t("journal.schema", schema=said["schema"], by=said["written_by"] or "?", knows=knows)
    )
    screen.text(t("journal.count", records=said["records"], unsent=said["unsent"]))
    if said["readable_from"] < said["schema"]:
        screen.text(t("journal.readable", reader=said["readable_from"]))
    if said["put_by"]:
        screen.text(t("journal.put_by", tables=", ".join(said["put_by"])))
    if said["copies"]:
        screen.text(t("journal.copies", files=", ".join(said["copies"])), style="warn")
    if usable is Exit.FOUND:
        screen.text(t("journal.newer", knows=knows), style="warn")
    return usable
