"""Software as the local API tells it: versions, the manifest, changes, updates."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta, Struct

from agent.core.moment import at_ms
from agent.wire.arguments import Nothing
from agent.wire.operation import Operation, Role

if TYPE_CHECKING:
    from agent.core.software.standing import VersionChanged
    from agent.core.software.update import Update


class ManifestOut(Struct, frozen=True, kw_only=True):
    """The manifest of required versions, and what became of the last one offered."""

    standing: str
    """in_force, or why the one that was offered last is not: unsigned, older, expired..."""
    text_zh: str
    text_en: str
    sequence: int | None
    """Of the one in force."""
    signed_by: str
    expires: datetime | None


class SoftwareItemOut(Struct, frozen=True, kw_only=True):
    """One component."""

    component: str
    installed: str
    """Empty: not there, or it cannot be told."""
    required: str
    """Empty: nothing is asked of it."""
    standing: str
    """behind, equal, ahead, unknown, pending, failed, rolled_back; empty: nothing is asked."""
    since_at: datetime | None
    why: str
    """Why its version cannot be told."""
    update: str
    """What would bring it to the required version, where the manifest offers it."""


class SoftwareChangeOut(Struct, frozen=True, kw_only=True):
    """A component is another than before."""

    component: str
    at: datetime
    before: str
    after: str


class UpdateOut(Struct, frozen=True, kw_only=True):
    """One update and where it stands."""

    update: str
    component: str
    version: str
    before: str
    phase: str
    """pending, preparing, prepared, applying, waiting (in force, proving itself), committing,
    rolling_back; for good: committed, failed, rolled_back."""
    begun_at: datetime
    phase_at: datetime
    started_by: str
    held_zh: list[str]
    held_en: list[str]
    """What it waits for."""
    failed_step: str
    reason: str
    rollback: str
    """done, failed, not_needed; empty: none was tried."""


class SoftwareOut(Struct, frozen=True, kw_only=True):
    """What runs on this terminal against what should."""

    at: datetime
    manifest: ManifestOut | None
    """null: not known without a running daemon."""
    components: list[SoftwareItemOut]
    changes: list[SoftwareChangeOut]
    """The newest first."""
    updates: list[UpdateOut]
    """The newest first."""


class UpdateArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which update: one the manifest offers, or a file with what it is."""

    update: Annotated[str, Meta(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$")] = ""
    file: Annotated[str, Meta(pattern=r"^(/[^\0]*)?$", max_length=300)] = ""
    sha256: Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?$")] = ""
    size_bytes: Annotated[int, Meta(ge=0, le=9_007_199_254_740_992)] = 0
    component: Annotated[str, Meta(max_length=64)] = ""
    version: Annotated[str, Meta(max_length=64)] = ""
    any_time: bool = False
    """Outside the hours for updates too; unsent money and an empty battery still hold it."""


class UpdateEndArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes of the update under way."""

    what: Literal["commit", "rollback"]
    """commit: a version that proves itself is kept at once; rollback: it is taken back, and one
    that has not begun is called off."""
    update: Annotated[str, Meta(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$")] = ""
    """Empty: the one under way."""


SOFTWARE: tuple[Operation, ...] = (
    Operation(
        name="software",
        method="GET",
        path="/v1/software",
        roles=(Role.READ, Role.REPORT, Role.TECHNICIAN),
        summary="What software runs here against what should, what changed, and updates.",
        arguments=Nothing,
        result=SoftwareOut,
        problems=("store.unavailable",),
    ),
    Operation(
        name="update_begin",
        method="POST",
        path="/v1/updates",
        roles=(Role.TECHNICIAN,),
        summary="Begin one update through the vendor's hooks. It waits by itself while money is "
        "unsent or the battery is low; its progress is in /v1/software.",
        arguments=UpdateArgs,
        result=UpdateOut,
        disruptive=True,
        audited=True,
        problems=(
            "request.bad_field", "request.unknown_field", "update.unknown", "update.unnamed",
            "update.known", "update.busy", "update.not_kept",
        ),
    ),
    Operation(
        name="update_end",
        method="POST",
        path="/v1/updates/end",
        roles=(Role.TECHNICIAN,),
        summary="Keep the update that proves itself at once, or take it back; one that waits to "
        "begin is called off.",
        arguments=UpdateEndArgs,
        result=UpdateOut,
        disruptive=True,
        audited=True,
        problems=(
            "request.bad_field", "request.unknown_field", "update.unknown", "update.not_now",
        ),
    ),
)  # fmt: skip


def update_out(one: Update) -> UpdateOut:
    """An update as it is shown."""
    return UpdateOut(
        update=one.update,
        component=one.component,
        version=one.version,
        before=one.before,
        phase=one.phase.value,
        begun_at=at_ms(one.begun_ms),
        phase_at=at_ms(one.phase_ms),
        started_by=one.started_by,
        held_zh=[hold.sentence("zh") for hold in one.held],
        held_en=[hold.sentence("en") for hold in one.held],
        failed_step=one.failed_step,
        reason=one.reason,
        rollback=one.rollback,
    )


def changes_out(changes: Iterable[VersionChanged]) -> list[SoftwareChangeOut]:
    """Changes as they are shown."""
    return [
        SoftwareChangeOut(
            component=one.component, at=at_ms(one.at_ms), before=one.before, after=one.after
        )
        for one in changes
    ]
