"""Money rule 5 as one table: every combination of what decides whether the agent takes it back."""

from __future__ import annotations

from itertools import product

import pytest

from agent.core.money.delivery import OnUnknown, Todo
from agent.core.money.journal import State
from agent.core.money.transaction import CustomerSaw, Delivery, Kind, Posting
from tests.core.money.test_reversing import PROFILE, decided, request
from tests.fakes import FakeClock


@pytest.mark.parametrize("on_unknown", sorted(OnUnknown))
@pytest.mark.parametrize("saw", sorted(CustomerSaw))
def test_reversed_only_when_nothing_else_can_be_asked_and_nobody_saw_it_approved(
    on_unknown: OnUnknown, saw: CustomerSaw
) -> None:
    """Never before the query says not found or cannot be asked, never before the time is over."""
    profile = PROFILE.__class__(
        **{name: getattr(PROFILE, name) for name in PROFILE.__dataclass_fields__}
        | {"on_unknown": on_unknown}
    )
    taken_back = 0
    for ask, said_not_found, over, doubt, sold, by_agent, offered in product(
        (False, True), repeat=7
    ):
        clock = FakeClock()
        one = request(
            in_doubt=doubt,
            not_found=1 if said_not_found else 0,
            of={
                "customer_saw": saw,
                "kind": Kind.SALE if sold else Kind.REFUND,
                "posting": Posting.REQUEST if by_agent else Posting.ADVICE,
                "delivery": Delivery.AGENT,
                "reversal_key": "k1-rev" if offered else None,
            },
        )
        if over:
            clock.advance(61)
        allowed = (
            on_unknown is OnUnknown.REVERSE
            and saw is not CustomerSaw.APPROVED
            and all((over, doubt, sold, by_agent, offered))
            and (said_not_found or not ask)
        )
        todo = decided(one, clock, profile, ask=ask)
        assert (todo is Todo.REVERSE) is allowed, (ask, said_not_found, over, doubt, sold, todo)
        taken_back += allowed
        held = request(state=State.HELD, in_doubt=doubt)
        assert decided(held, clock, profile, ask=ask) is not Todo.REVERSE
    assert taken_back == (3 if on_unknown is OnUnknown.REVERSE and saw != "approved" else 0)
