"""What an entry of the catalogue is: a code, its texts, who can know it and who must act."""

from __future__ import annotations

from enum import StrEnum

from agent.core.why.text import Text
from agent.record import dataclass


class KnownBy(StrEnum):
    """How a cause can come to be known."""

    OBSERVED = "O"  #: by a watcher on the terminal
    HOST = "H"  #: from the host's answer
    RECONCILED = "R"  #: by comparing with the host's list
    CHECKED = "C"  #: by a configuration check
    LEARNT = "L"  #: from the local journal
    ADVICE = "A"  #: not from here: only ever advice, never a finding


class Owner(StrEnum):
    """Who must act."""

    MERCHANT = "merchant"
    CASHIER = "cashier"
    TECHNICIAN = "technician"
    VENDOR = "vendor"  #: maker of the device or its image
    ACQUIRER = "acquirer"
    BANK = "bank"
    PLATFORM = "platform"  #: third-party payment platform
    AGENT = "agent"  #: nobody: it heals itself


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason why money does not arrive. The code is never renamed once released."""

    code: str
    title: Text
    known_by: frozenset[KnownBy]
    owner: Owner
    step: Text  #: what to do next: one line, imperative, nothing else
    reason: Text  #: why

    @property
    def advice_only(self) -> bool:
        """Whether nothing on this terminal can ever prove it."""
        return self.known_by == {KnownBy.ADVICE}


Pair = tuple[str, str]


def entry(  # noqa: PLR0917  (read as a row of the catalogue)
    code: str, known_by: str, owner: Owner, title: Pair, step: Pair, reason: Pair
) -> Cause:
    """A cause from (Chinese, English) pairs and the letters of `KnownBy`."""
    letters = frozenset(KnownBy(letter) for letter in known_by)
    return Cause(code, Text(*title), letters, owner, Text(*step), Text(*reason))
