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
#: Of fewer digits than any card has; most numbers are.
_SMALL = 10 ** (cards.SHORTEST - 1)
#: Where the payload bytes themselves stand; looked at by `check_payload`.
_BYTES = re.compile(r"(?:payload|query_payload|reversal_payloads\.[^.]*)\.(?:text|base64)")
_BYTES_END = (".text", ".base64")
#: Fields of the contract with such bytes, and of `_BYTES` itself.
_WITH_BYTES = frozenset({"payload", "query_payload"})
_BYTES_NAMES = frozenset({"text", "base64"})
_REASONED = frozenset({"reversal_payloads"})
MAX_NAME = 64
#: No name has as many; a card number torn in two by a sign does.
_DIGITS = re.compile(r"[0-9]{9}")
_UNSEEN = object()

#: Names as `cards.forbidden` compares them, for all strings of a JSON text at once.
_NAMES = frozenset(name.encode() for name in cards.FORBIDDEN_NAMES)
_LOWER = bytes(range(65)) + bytes(range(97, 123)) + bytes(range(91, 256))
_ASCII = bytes(range(128))
#: So many different signs beyond ASCII that are no letters are taken out one by one.
_FEW = 16
_PUNCTUATION = bytes(byte for byte in range(128) if not chr(byte).isalnum() and byte != 34)
_EXPONENT = re.compile(rb"[0-9]e")


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
    if _plainly_clean(raw, fields):
        return
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


def clean(texts: Iterable[str]) -> bool:
    """One quick look at all texts of a request together, which settles most payments.

    False says nothing but that `check_metadata` is needed.
    """
    text = "|".join(texts)  # nothing that holds card data has a bar in it
    return text.isprintable() and not cards.contains(text)


def _plainly_clean(raw: Mapping[str, object], fields: frozenset[str]) -> bool:
    """One quick look at all of it together, which settles most payments.

    False says nothing but that a closer look is needed.
    """
    rest: dict[str, object] = {}
    for name, value in raw.items():
        seen = value
        if isinstance(value, dict):
            seen = _reversals(value, fields) if name in _REASONED else _part(name, value, fields)
        elif name == "merchant_id" and isinstance(value, str) and len(value) <= MID_LENGTH:
            seen = "" if value.isprintable() else _UNSEEN
        if name not in fields or seen is _UNSEEN:
            return False
        rest[name] = seen
    try:
        text = msgspec.json.encode(rest).decode()
    except (OverflowError, RecursionError, msgspec.EncodeError):
        return False
    return _says_plainly(text) and text.isprintable() and not cards.contains(text)


def _part(name: str, part: Mapping[str, object], fields: frozenset[str]) -> object:
    """What is to be seen of an object of the contract: not the bytes for the host."""
    if not part.keys() <= fields:
        return _UNSEEN
    if name not in _WITH_BYTES:
        return part
    return {n: v for n, v in part.items() if n not in _BYTES_NAMES or not isinstance(v, str)}


def _reversals(parts: Mapping[str, object], fields: frozenset[str]) -> object:
    seen: dict[str, object] = {}
    for reason, part in parts.items():
        if len(reason) > MAX_NAME or "." in reason or not isinstance(part, dict):
            return _UNSEEN
        seen[reason] = _part("payload", part, fields)
        if seen[reason] is _UNSEEN:
            return _UNSEEN
    return seen


def _check_place(path: str) -> None:
    """Every refusal names its place, and goes to the log: the names in it are looked at first."""
    if cards.contains(path.replace(".", "\n"), identifier=True):
        raise _refuse("a field name in the request holds a clear card number", "")


def _check_name(name: str, path: str) -> None:
    where = path or "the request"
    if _CONTROL.search(name) or len(name) > MAX_NAME or _DIGITS.search(name):
        _check_place(path)
        if cards.contains(name, identifier=True):
            raise _refuse(f"a field name in {where} holds a clear card number", path)
        raise RequestError("request.unknown_field", f"{where} has an impossible field", field=path)
    # Reasons of reversals are the caller's own words.
    if path != "reversal_payloads" and cards.forbidden(name):
        field = f"{path}.{name}" if path else name
        _check_place(field)
        raise _refuse(f"{field} is not stored by the agent", field)


def _check_text(value: str, path: str) -> None:
    if _CONTROL.search(value):
        _check_place(path)
        if cards.contains(value):
            raise _refuse(f"{path} holds a clear card number", path)
        raise RequestError(
            "request.control_character", f"{path} has a control character", field=path
        )


def check_payload(body: bytes, media_type: str, path: str, given: str | None = None) -> None:
    """Looks through a payload that can be read as text or as a chip's data. Raises RequestError.

    `given` is the text `body` was made of, where it was handed over as text.
    """
    if tag := emv.forbidden_tag(body):
        raise _refuse(f"{path} has the tag {tag}", f"{path}:{tag}")
    text = _text(body, media_type, given)
    if text is None:
        return
    document = _json(text)
    name = ""
    if document is not None and not _says_plainly(text):
        text, name = _read(document)
    pieces = list(card_codes.tokens(text))
    decoded = b"\n".join(pieces).decode("latin-1")
    if cards.contains(text, decoders=(card_codes.percent,)) or cards.contains(decoded, decoders=()):
        raise _refuse(f"{path} holds a clear card number", path)
    if label := name if document is not None else cards.forbidden_label(text):
        raise _refuse(f"{path} has a field {label}", f"{path}:{label}")
    if tag := emv.forbidden_tags(pieces):
        raise _refuse(f"{path} has the tag {tag}", f"{path}:{tag}")


def _text(body: bytes, media_type: str, given: str | None) -> str | None:
    declared = _TEXTUAL.search(media_type) is not None
    try:
        text = body.decode() if given is None else given
        text = text.removeprefix("\ufeff")
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


def _says_plainly(text: str) -> bool:
    """Whether a JSON text can be looked through as it is: no escapes, no powers of ten, no name
    (nor any other string) that may not exist."""
    if "\\" in text:
        return False
    raw = text.encode("utf-8", "replace")
    if not text.isascii():
        beyond = raw.translate(None, _ASCII).decode()
        if beyond != beyond.lower():
            return False
        if not beyond.isalnum():
            odd = {sign for sign in beyond if not sign.isalnum()}
            if len(odd) > _FEW:
                return False
            for sign in odd:  # punctuation, which does not count in a name
                text = text.replace(sign, "")
            raw = text.encode("utf-8", "replace")
    strings = raw.translate(_LOWER, _PUNCTUATION).split(b'"')
    return _NAMES.isdisjoint(strings) and not _EXPONENT.search(b" ".join(strings[::2]))


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
        elif isinstance(value, int | float) and abs(value) >= _SMALL:
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
