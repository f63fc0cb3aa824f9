"""Every error the agent raises on purpose, by whose fault it is.

The type answers "who must act", which is what a retry rule, an exit code and a problem+json
answer need to know; the fields answer what a person needs: what was being done, to what, why it
failed and what to do next. Never put a payload, a card number or a secret into any field: errors
are logged, shown and sent.

Returned values are for outcomes that are part of normal life (a host that declines, a printer
that does not answer). Raise only when the caller cannot go on with what it was doing.
"""

from __future__ import annotations


class AgentError(Exception):
    """Base of all; never raised itself, because it would not say whose fault it was."""

    #: Stable, machine-readable, dotted. A code is never renamed once released.
    code: str
    #: One sentence: what is wrong and where.
    what: str
    #: One sentence: what to do about it. Empty when nothing sensible can be advised.
    hint: str

    def __init__(self, code: str, what: str, hint: str = "") -> None:
        if type(self) is AgentError:
            raise TypeError("raise one of the children: they say whose fault it is")
        super().__init__(what)
        self.code = code
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what} ({self.hint})" if self.hint else self.what


class OperatorError(AgentError):
    """Whoever configured or called us can put it right: config, arguments, rights."""


class CallerError(AgentError):
    """The payment app's request is wrong; the same request will fail again."""


class RemoteError(AgentError):
    """The host, the broker or the way to them failed; trying later may help."""


class HardwareError(AgentError):
    """A device or the flash refused; the message names the device."""


class StoreError(AgentError):
    """The store cannot do it now. Nothing was acknowledged.

    `code` says which: `store.full`, `store.unavailable`, `store.unknown` (the commit may or may
    not have happened: repeat with the same key), `store.busy` (another process holds it).
    """


class InternalError(AgentError):
    """Our own fault: an invariant did not hold."""
