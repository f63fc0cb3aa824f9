"""What speaks against a payment, as the check and the refusal of a submission show it.

Called by `check` and `problem`; judging is `core.money.limits`, the sentences `core.why.checked`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from msgspec import Struct

from agent.core.money.limits import Finding, Level
from agent.wire.views import Both

if TYPE_CHECKING:
    from agent.core.why.text import Line


class CheckFinding(Struct, frozen=True, kw_only=True):
    """One thing that speaks against it."""

    code: str
    """Stable, such as `limit.total` or `duplicate.suspected`."""
    level: Level
    """`refuse`: do not take it. `confirm`: let the cashier look. `warn`: worth knowing."""
    cause: str
    """Its entry in the catalogue of causes."""
    field: str
    title: Both
    reason: Both
    owner: str
    """Who must act."""
    step: Both
    """What to do next."""


def findings_out(findings: Iterable[Finding]) -> list[CheckFinding]:
    """Findings as the API shows them."""
    # Loaded when a payment is checked: the catalogue behind it is 1 MB of a quiet daemon.
    from agent.core.why import checked
    from agent.core.why.text import Line

    return [
        CheckFinding(
            code=one.code,
            level=one.level,
            cause=one.cause,
            field=one.where,
            title=_both(Line(checked.cause_of(one).title)),
            reason=_both(checked.sentence(one)),
            owner=checked.cause_of(one).owner,
            step=_both(checked.step(one)),
        )
        for one in findings
    ]


def _both(line: Line) -> Both:
    return Both(line.render("zh"), line.render("en"))
