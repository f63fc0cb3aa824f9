"""How actions find a payment and say that it cannot be moved."""

from __future__ import annotations

from agent.actions.ports import Ports
from agent.core.money.journal import Record
from agent.wire.problem import CODES, RequestError


async def by_key(ports: Ports, key: str) -> Record:
    """The payment with this key. Raises RequestError `transaction.unknown`."""
    record = await ports.journal.record(key)
    if record is None:
        raise RequestError(
            "transaction.unknown",
            f"the journal has no payment with key {key}",
            field="key",
            hint="It was never handed over under this key, or pruned after its retention.",
        )
    return record


def refusal(record: Record, code: str) -> RequestError:
    """Why this payment cannot be moved so."""
    doubt = " and in doubt" if record.in_doubt else ""
    return RequestError(
        code, f"payment {record.key} is {record.state}{doubt}", hint=CODES[code].hint
    )


def key_or_cause(verb: str, key: str | None, cause: str | None) -> None:
    """Raises RequestError unless exactly one of them says which payments are meant."""
    if (key is None) == (cause is None):
        raise RequestError(
            "request.missing_field",
            "say which: key or cause, one of them",
            field="key",
            hint=f"posagent queue {verb} KEY, or --cause CODE.",
        )
