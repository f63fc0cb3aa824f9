"""What a host answers, as the receiver contract writes it (docs/contracts/receiver.md).

Checks form only: whether an answer is bound to the payment it came for is judged by the uplink.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import DecodeError, Struct, ValidationError
from msgspec.json import Decoder


class HostAnswer(Struct, frozen=True, kw_only=True):
    """The body of 200, 201, 402, 409, 422 and of an authoritative 404; more fields may come."""

    key: str
    status: Literal["posted", "declined", "in_progress", "mismatch", "not_found"]
    terminal_id: str | None = None
    amount_minor: int | None = None
    currency: str | None = None
    reference: str | None = None
    response_code: str | None = None
    rrn: str | None = None
    posted_at: datetime | None = None
    posted_amount_minor: int | None = None
    text: str | None = None
    duplicate: bool = False


_decoder = Decoder(HostAnswer)
_NAMES = tuple(f'"{name}"'.encode() for name in HostAnswer.__struct_fields__)


def host_answer(body: bytes) -> HostAnswer | str:
    """The answer, or a sentence saying why it is not one. The sentence never quotes the body."""
    if not body:
        return "an empty body"
    try:
        body.decode()  # the decoder looks only at the strings it keeps
        answer = _decoder.decode(body)
    except ValidationError as error:
        # The message may quote a value; where it stood is all that may be told.
        _, at, where = str(error).rpartition(" - at `")
        return f"not the contract's answer ({where.rstrip('`') if at else 'not an object'})"
    except (DecodeError, UnicodeDecodeError):
        return "not JSON, or cut off"
    except RecursionError:
        return "JSON nested without end"
    return "a member given twice" if _twice(body) else answer


def _twice(body: bytes) -> bool:
    """Whether a member of the answer is there twice: which of the two counts would depend on who
    reads it, and one may say posted where the other says declined."""
    if b"\\" not in body and all(body.count(name) < 2 for name in _NAMES):
        return False
    import json  # rare, and only to look at names the decoder above does not give

    outermost: list[list[tuple[str, object]]] = []

    def heard(members: list[tuple[str, object]]) -> None:
        outermost[:] = [members]  # the last one to end is the outermost

    try:
        json.loads(body.decode(), object_pairs_hook=heard)
    except (ValueError, RecursionError):  # such as a number of 5,000 digits beside the contract
        return True
    names = [name for name, _ in outermost[0] if name in HostAnswer.__struct_fields__]
    return len(names) != len(set(names))
