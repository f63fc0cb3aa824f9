"""May this payment be taken now? Asked before the customer pays; changes nothing.

A store that is full or cannot be written is an answer too: the payment could not be kept.
"""

from __future__ import annotations

from agent.actions.ports import Ports
from agent.core.money.limits import Answer, Finding, Ground, Level, answer_of
from agent.errors import StoreError
from agent.wire.check import CheckArgs, CheckOut, candidate
from agent.wire.findings import findings_out
from agent.wire.problem import RequestError


async def run(ports: Ports, args: CheckArgs) -> CheckOut:
    now = ports.clock.now()
    t = candidate(args, now.at)
    if t.amount_minor is not None and t.currency is None:
        raise RequestError("amount.missing", "amount_minor needs currency", field="currency")
    try:
        findings = await ports.judge().examine(t)
    except StoreError as error:
        if error.code != "store.full":
            raise
        full = Finding(
            code="store.full", cause="queue.store_full", level=Level.REFUSE, ground=Ground.LIMIT
        )
        return CheckOut(at=now.at, answer=Answer.REFUSE, findings=findings_out([full]))
    return CheckOut(
        at=now.at,
        answer=answer_of(t, findings, frozenset(args.confirmed)),
        findings=findings_out(findings),
    )
