"""Whether this terminal may be updated, emptied or taken away: is money unsent on it?

Three answers and no fourth: nothing is unsent, so much is, or it cannot be told – which counts as
unsent. What was put aside counts, too. Decides also what is written down when somebody goes on all
the same, says whose the money of a copied store is, or changes who the terminal is, as one line of
a file: it must outlive a daemon that is dead, and is read back into the trail at its next start.
Called by `agent.actions.guard`, `agent.cli` and `agent.main.forced`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from agent.core.audit import Deed, clean
from agent.core.money import cards
from agent.core.money.journal import Amounts, Backlog
from agent.record import dataclass

#: In the state directory: what was forced or decided while no daemon could write its trail.
FORCED_FILE = "guard.forced"
#: The operations as the trail calls them.
FORCED_OP = "guard_force"
#: What `posagent provision` decides, throws away or changes, by its step.
PROVISION_OPS = frozenset(
    f"provision_{step}" for step in ("adopt", "seal", "identity", "profile", "keys")
)
#: Of a line of that file; whatever is longer was not written by us.
MOST_LINE_BYTES = 2_048


class Purpose(StrEnum):
    """What somebody is about to do."""

    UPDATE = "update"
    REMOVAL = "removal"
    PURGE = "purge"
    DOWNGRADE = "downgrade"


class Standing(StrEnum):
    """What is known about unsent money."""

    CLEAR = "clear"
    UNSENT = "unsent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """The answer."""

    standing: Standing
    total: Amounts  #: unsent, with what lies aside as far as it was counted
    oldest_age_s: int | None
    reason: str = ""  #: why it cannot be told


def guarded(backlog: Backlog, damage: str, now: datetime) -> Guarded:
    """From the counts and what start-up found wrong."""
    total = _sum(backlog.total, backlog.quarantined or Amounts())
    if backlog.quarantined is None:
        reason = "a damaged journal was put aside, and what is in it has not been counted"
    else:
        reason = f"the journal was damaged: {damage}" if damage else ""
    standing = Standing.UNSENT if total.count else Standing.CLEAR
    age_s = None
    if backlog.oldest_at is not None:
        age_s = max(0, round((now - backlog.oldest_at).total_seconds()))
    return Guarded(
        standing=Standing.UNKNOWN if reason else standing,
        total=total,
        oldest_age_s=age_s,
        reason=reason,
    )


def _sum(one: Amounts, other: Amounts) -> Amounts:
    sums: dict[str, int] = dict(one.by_currency)
    for currency, minor in other.by_currency.items():
        sums[currency] = sums.get(currency, 0) + minor
    return Amounts(count=one.count + other.count, by_currency=sums)


def forced(actor: str, purpose: str, reason: str, count: int | None) -> Deed:
    """What the trail says of it. A reason that looks like card data is not kept."""
    said = "" if cards.contains(reason) else reason
    return Deed(
        actor=clean(actor),
        op=FORCED_OP,
        target=clean(f"{purpose}: {said}"),
        outcome="forced",
        count=max(1, count or 1),
    )


def provisioned(actor: str, step: str, target: str) -> Deed:
    """What the trail says of who this terminal is, and of a store that went elsewhere."""
    return Deed(actor=clean(actor), op=f"provision_{step}", target=clean(target))


def line_of(deed: Deed, at_ms: int) -> str:
    """One line of the file."""
    plain = {
        "at_ms": at_ms, "actor": deed.actor, "target": deed.target, "outcome": deed.outcome,
        "count": deed.count, "op": deed.op,
    }  # fmt: skip
    return json.dumps(plain, ensure_ascii=True, separators=(",", ":")) + "\n"


def deed_of(line: str) -> tuple[int, Deed] | None:
    """A line of the file; None: it is none of ours (torn by a power cut, or somebody else's)."""
    try:
        told = json.loads(line)
    except ValueError:
        return None
    if not isinstance(told, Mapping):
        return None
    at_ms, count = told.get("at_ms"), told.get("count")
    words = [told.get(name) for name in ("actor", "target", "outcome")]
    if type(at_ms) is not int or type(count) is not int or at_ms < 0 or count < 1:
        return None
    if not all(isinstance(word, str) for word in words):
        return None
    if (op := told.get("op", FORCED_OP)) not in {FORCED_OP, *PROVISION_OPS}:
        return None
    actor, target, outcome = map(str, words)
    return at_ms, Deed(actor=actor, op=op, target=target, outcome=outcome, count=count)
