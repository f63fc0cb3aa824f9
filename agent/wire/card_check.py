"""Refuses clear card data in what is handed over (edge L8, money rule 10).

Metadata is refused by field name, whatever the value, and by value. Payloads that can be read as
text are refused by value, and by name where the value is neither empty nor masked: hosts dictate
their own field names and `"cardNumber": "622202******0123"` is harmless. Opaque payloads are the
payment app's ciphertext and are left alone. A problem names the field, never the value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from agent.core.money import cards
from agent.wire.problem import RequestError

#: C0, C1, line and paragraph separators, and what reorders or hides text on a screen.
_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]"
)
#: What cannot occur in text but does in binary.
_BINARY = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_TEXTUAL = re.compile(r"^text/|[/+](?:json|xml)\b|x-www-form-urlencoded", re.IGNORECASE)

#: Fields that hold identifiers: digits in chance groups do not count there.
IDENTIFIERS = frozenset(
    {"key", "refers_to", "reversal_key", "covers", "terminal_id", "merchant_id", "uplink"}
    | {"stan", "batch", "rrn", "first_attempt_at", "occurred_at", "send_before"}
)
#: Known by their schema, so no value of theirs is looked at: a MID has 15 digits (field 42) and
#: begins like a card in whole provinces; amounts go up to 16 digits.
KNOWN = frozenset({"amount_minor", "posted_amount_minor", "attempts"})
MID_LENGTH = 15
#: Of fewer digits than any card has; most numbers are.
_SMALL = 10 ** (cards.SHORTEST - 1)
#: Where the payload bytes themselves stand; looked at by `check_payload`.
_BYTES = re.compile(r"(?:payload|query_payload|reversal_payloads\.[^.]*)\.(?:text|base64)")
_BYTES_END = (".text", ".base64")


def _refuse(what: str, field: str) -> RequestError:
    return RequestError("card.clear_data", what, field=field)


def check_metadata(raw: Mapping[str, object], fields: frozenset[str]) -> None:
    """Looks through everything but the payload bytes. Raises RequestError.

    `fields` are the names of the contract, which need no second look.
    """
    # A list, not recursion: the nesting is the caller's.
    todo: list[tuple[str, str, object]] = [("", "", raw)]
    while todo:
        path, top, value = todo.pop()
        match value:
            case list():
                todo += [(path, top, inner) for inner in value]
            case str():
                if not (path.endswith(_BYTES_END) and _BYTES.fullmatch(path)):
                    _check_text(value, path, top)
            case dict():
                for name, inner in value.items():
                    _check_name(name, path, fields)
                    todo.append((f"{path}.{name}" if path else name, top or name, inner))
            case int() if top not in KNOWN and cards.contains(_text_of(value)):
                raise _refuse(f"{path} holds a clear card number", path)
            case _:
                pass


def _check_name(name: str, path: str, fields: frozenset[str]) -> None:
    if name in fields:
        return
    where = path or "the request"
    if cards.contains(name, identifier=True):
        raise _refuse(f"a field name in {where} holds a clear card number", path)
    if _CONTROL.search(name) or len(name) > 64:
        raise RequestError("request.unknown_field", f"{where} has an impossible field", field=path)
    # Reasons of reversals are the caller's own words.
    if path != "reversal_payloads" and cards.forbidden(name):
        field = f"{path}.{name}" if path else name
        raise _refuse(f"{field} is not stored by the agent", field)


def _check_text(value: str, path: str, top: str) -> None:
    if len(value) < cards.SHORTEST or (top == "merchant_id" and len(value) <= MID_LENGTH):
        pass
    elif cards.contains(value, identifier=top in IDENTIFIERS):
        raise _refuse(f"{path} holds a clear card number", path)
    if _CONTROL.search(value):
        raise RequestError(
            "request.control_character", f"{path} has a control character", field=path
        )


def check_payload(body: bytes, media_type: str, path: str) -> None:
    """Looks through a payload that can be read as text. Raises RequestError."""
    text = _text(body, media_type)
    if text is None:
        return
    document = _json(text)
    if document is not None:
        _check_json(document, path)
        return
    if cards.contains(text):
        raise _refuse(f"{path} holds a clear card number", path)
    if label := cards.forbidden_label(text):
        raise _refuse(f"{path} has a field {label}", f"{path}:{label}")


def _text(body: bytes, media_type: str) -> str | None:
    declared = _TEXTUAL.search(media_type) is not None
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        # GB18030 and its kin keep ASCII where it is, which is all that is looked for.
        return body.decode("latin-1") if declared else None
    return text if declared or not _BINARY.search(text) else None


def _json(text: str) -> object:
    """The object or array in `text`, or None where it is not JSON."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None


def _check_json(document: object, path: str) -> None:
    todo: list[object] = [document]
    while todo:
        value = todo.pop()
        match value:
            case dict():
                for name, inner in value.items():
                    if cards.contains(name):
                        raise _refuse(f"a field name in {path} holds a clear card number", path)
                    if _given(cards.forbidden(name), inner):
                        raise _refuse(f"{path} has a field {name}", f"{path}:{name}")
                    todo.append(inner)
            case list():
                todo += value
            case int() if -_SMALL < value < _SMALL:
                pass
            case str() | int() | float() if cards.contains(_text_of(value)):
                raise _refuse(f"{path} holds a clear card number", path)
            case _:
                pass


def _text_of(value: str | float) -> str:
    # Python refuses to write out numbers of more than 4,300 digits; no card is that long.
    return "" if isinstance(value, int) and value > 10**19 else str(value)


def _given(group: str, value: object) -> bool:
    """Whether a forbidden field really holds what its name says."""
    if not group:
        return False
    match value:
        case None | bool():
            return False
        case str():
            return cards.in_clear(value)
        case dict() | list():
            # A structure named after the card number is how tokens and ciphertext are carried;
            # its own fields are looked at one by one.
            return bool(value) and group != "pan"
        case _:
            return True
