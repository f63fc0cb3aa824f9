"""Who watches the network must not stand in the way of what goes over it."""

from __future__ import annotations

from typing import cast

import pytest

from agent.link.contact import Contact, Contacts
from agent.link.tls import expires_at


def test_a_listener_that_fails_costs_neither_the_connection_nor_the_next_listener(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The one that tells is opening a connection for a payment."""
    contacts, heard = Contacts(), list[Contact]()
    contacts.listen(lambda _contact: cast("None", 1 // 0))
    contacts.listen(heard.append)
    told = Contact(purpose="uplink", host="bank.test", port=443)
    contacts.tell(told)
    assert heard == [told]
    assert "contact_unheard" in caplog.text


class Shown:
    """A connection whose peer showed a certificate with this date."""

    def __init__(self, until: str) -> None:
        self._until = until

    def getpeercert(self) -> dict[str, str]:
        return {"notAfter": self._until}


@pytest.mark.parametrize("until", ["Bad time value", "Foo 30 00:00:00 2027 GMT", ""])
def test_a_date_nobody_can_read_is_no_date(until: str) -> None:
    """Asked for with every connection, so it must not cost one."""
    assert expires_at(Shown("Jan  5 09:34:43 2028 GMT"))  # type: ignore[arg-type]
    assert expires_at(Shown(until)) is None  # type: ignore[arg-type]
