"""The catalogue of causes as it crosses the border: one code in full, with what to do about it.

Called by the action for the page, and by the command line, which needs no daemon for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from agent.wire.operation import EVERYBODY_PAYING, Operation, Role
from agent.wire.views import Both

if TYPE_CHECKING:
    from agent.core.why.causes import Cause
    from agent.core.why.text import Text


class CauseArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which one."""

    code: str
    """Its code, for example printer.paper_out."""


class GuidanceOut(Struct, frozen=True, kw_only=True):
    """What to do about it, in the words of somebody who stands at the terminal."""

    now: Both
    """What to press or do, in order."""
    say: Both
    """What to say to the customer."""
    stop: Both
    """When to stop trying."""
    call: Both
    """Whom to call then, and what to have at hand; empty: nobody."""
    whom: str
    """technician, merchant, vendor, app_vendor, acquirer, bank, platform, provider, fleet; empty:
    nobody has to be called."""
    give: list[str]
    """tid, mid, stan, rrn, serial … in the order of the sentence."""


class CauseOut(Struct, frozen=True, kw_only=True):
    """One entry of the catalogue; clauses in square brackets vanish where their fact is unknown."""

    code: str
    owner: str
    """Who must act."""
    known_by: list[str]
    """O observed, H host, R reconciled, C checked, L learnt from the journal, A advice only."""
    title: Both
    step: Both
    reason: Both
    guidance: GuidanceOut


CAUSES: tuple[Operation, ...] = (
    Operation(
        name="causes",
        method="GET",
        path="/v1/causes/{code}",
        roles=(*EVERYBODY_PAYING, Role.REPORT),
        summary="A cause in full: who must act, the next step and its reason, what to do now, "
        "what to say to the customer, when to stop and whom to call with which references.",
        arguments=CauseArgs,
        result=CauseOut,
        problems=("cause.unknown",),
    ),
)


def cause_out(cause: Cause) -> CauseOut:
    """Texts without facts: what they name stays in braces only here, where machines read it."""
    # A chapter is loaded when somebody asks about a code of it.
    from agent.core.why.guidance import guidance

    found = guidance(cause.code)
    assert found is not None, cause.code  # a test holds every code to it
    return CauseOut(
        code=cause.code,
        owner=cause.owner,
        known_by=sorted(cause.known_by),
        title=_both(cause.title),
        step=_both(cause.step),
        reason=_both(cause.reason),
        guidance=GuidanceOut(
            now=_both(found.now),
            say=_both(found.say),
            stop=_both(found.stop),
            call=Both(found.call("zh"), found.call("en")),
            whom="" if found.whom is None else found.whom,
            give=[str(one) for one in found.give],
        ),
    )


def _both(text: Text) -> Both:
    return Both(text.zh, text.en)
