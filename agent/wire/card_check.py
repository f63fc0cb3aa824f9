"""Refuses clear card data in what is handed over (edge L8, money rule 10).

Metadata is refused by field name, whatever the value, and by value. Payloads that can be read as
text are refused by value, and by name where the value is neither empty nor masked: hosts dictate
their own field names and `"cardNumber": "622202******0123"` is harmless. Opaque payloads are the
payment app's ciphertext and are left alone. A problem names the field, never the value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from agent.core.money import card_codes, cards, emv
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
#: Smaller numbers cannot be a card's.
_TWELVE_DIGITS = 10**12
#: Where the payload bytes themselves stand; looked at by `check_payload`.
_BYTES = re.compile(r"(?:payload|query_payload|reversal_payloads\.[^.]*)\.(?:text|base64)")
_BYTES_END = (".text", ".base64")


def _refuse(what: str, field: str) -> RequestError:
    return RequestError("card.clear_data", what, field=field)


class _Texts:
    """Texts with their places, looked through together: one search instead of thousands."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._places: list[str] = []

    def add(self, text: str, place: str) -> None:
        if len(text) >= cards.SHORTEST:
            self._texts.append(text)
            self._places.append(place)

    def refuse(self, *, identifier: bool = False, what: str = "{} holds") -> None:
        """Raises RequestError naming the first place with a number."""
        if not cards.contains("\n".join(self._texts), identifier=identifier):
            return
        found = (
            place
            for text, place in zip(self._texts, self._places, strict=True)
            if cards.contains(text, identifier=identifier)
        )
        place = next(found, "")
        where = place or "the request"
        raise _refuse(f"{what.format(where)} a clear card number", place)


def check_metadata(raw: Mapping[str, object], fields: frozenset[str]) -> None:
    """Looks through everything but the payload bytes. Raises RequestError.

    `fields` are the names of the contract, which need no second look.
    """
    names, texts, identifiers = _Texts(), _Texts(), _Texts()
    # A list, not recursion: the nesting is the caller's.
    todo: list[tuple[str, str, object]] = [("", "", raw)]
    while todo:
        path, top, value = todo.pop()
        match value:
            case list():
                todo += [(path, top, inner) for inner in value]
            case str():
                if not (path.endswith(_BYTES_END) and _BYTES.fullmatch(path)):
                    _check_text(value, path)
                    if top != "merchant_id" or len(value) > MID_LENGTH:
                        (identifiers if top in IDENTIFIERS else texts).add(value, path)
            case dict():
                for name, inner in value.items():
                    if name not in fields:
                        _check_name(name, path)
                        names.add(name, path)
                    todo.append((f"{path}.{name}" if path else name, top or name, inner))
            case int() if top not in KNOWN:
                texts.add(_text_of(value), path)
            case _:
                pass
    names.refuse(identifier=True, what="a field name in {} holds")
    identifiers.refuse(identifier=True)
    texts.refuse()


def _check_name(name: str, path: str) -> None:
    where = path or "the request"
    if _CONTROL.search(name) or len(name) > 64:
        if cards.contains(name, identifier=True):
            raise _refuse(f"a field name in {where} holds a clear card number", path)
        raise RequestError("request.unknown_field", f"{where} has an impossible field", field=path)
    # Reasons of reversals are the caller's own words.
    if path != "reversal_payloads" and cards.forbidden(name):
        field = f"{path}.{name}" if path else name
        raise _refuse(f"{field} is not stored by the agent", field)


def _check_text(value: str, path: str) -> None:
    if _CONTROL.search(value):
        if cards.contains(value):
            raise _refuse(f"{path} holds a clear card number", path)
        raise RequestError(
            "request.control_character", f"{path} has a control character", field=path
        )


def check_payload(body: bytes, media_type: str, path: str) -> None:
    """Looks through a payload that can be read as text or as a chip's data. Raises RequestError."""
    if tag := emv.forbidden_tag(body):
        raise _refuse(f"{path} has the tag {tag}", f"{path}:{tag}")
    text = _text(body, media_type)
    if text is None:
        return
    document = _json(text)
    name = ""
    if document is not None:
        text, name = _read(document)
    pieces = list(card_codes.tokens(text))
    decoded = b"\n".join(pieces).decode("latin-1")
    if cards.contains(text, decoders=(card_codes.percent,)) or cards.contains(decoded, decoders=()):
        raise _refuse(f"{path} holds a clear card number", path)
    if label := name if document is not None else cards.forbidden_label(text):
        raise _refuse(f"{path} has a field {label}", f"{path}:{label}")
    if tag := emv.forbidden_tags(pieces):
        raise _refuse(f"{path} has the tag {tag}", f"{path}:{tag}")


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


def _read(document: object) -> tuple[str, str]:
    """All names and values on lines of their own, and the first field that may not exist."""
    names: list[str] = []
    values: list[object] = []
    texts: list[str] = []
    todo: list[dict[str, object] | list[object]] = []
    _sort_out([document], todo, texts)
    # Grows while it is walked: the nesting is the caller's, and so is the number of nodes.
    for container in todo:
        if isinstance(container, dict):
            names.extend(container)
            values.extend(container.values())
            _sort_out(container.values(), todo, texts)
        else:
            _sort_out(container, todo, texts)
    named = (names[at] for at in cards.forbidden_among(names) if _given(names[at], values[at]))
    return "\n".join([*names, *texts]), next(named, "")


def _sort_out(
    values: Iterable[object], todo: list[dict[str, object] | list[object]], texts: list[str]
) -> None:
    for value in values:
        if isinstance(value, str):
            texts.append(value)
        elif isinstance(value, dict | list):
            todo.append(value)
        elif isinstance(value, int | float) and abs(value) >= _TWELVE_DIGITS:
            texts.append(_text_of(value))


def _text_of(value: str | float) -> str:
    # Python refuses to write out numbers of more than 4,300 digits; no card is that long.
    return "" if isinstance(value, int) and value > 10**19 else str(value)


def _given(name: str, value: object) -> bool:
    """Whether a forbidden field really holds what its name says."""
    match value:
        case None | bool():
            return False
        case str():
            return cards.in_clear(value)
        case dict() | list():
            # A structure named after the card number is how tokens and ciphertext are carried;
            # its own fields are looked at one by one.
            return bool(value) and cards.forbidden(name) != "pan"
        case _:
            return True
