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


def host_answer(body: bytes) -> HostAnswer | str:
    """The answer, or a sentence saying why it is not one. The sentence never quotes the body."""
    if not body:
        return "an empty body"
    try:
        body.decode()  # the decoder looks only at the strings it keeps
        return _decoder.decode(body)
    except ValidationError as error:
        # The message may quote a value; where it stood is all that may be told.
        _, at, where = str(error).rpartition(" - at `")
        return f"not the contract's answer ({where.rstrip('`') if at else 'not an object'})"
    except (DecodeError, UnicodeDecodeError):
        return "not JSON, or cut off"
    except RecursionError:
        return "JSON nested without end"
