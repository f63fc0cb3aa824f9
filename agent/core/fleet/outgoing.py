"""What may not leave this terminal, whatever put it into a message.

Pure; the last look before a message is kept for sending. Everything else is careful already:
messages have fixed fields, readings come from watchers that see no card. But vendors' programs
name and fill values of their own, and results of commands are whole documents. So: a field whose
name announces card data, key codes, a person or a receipt is taken out; a reading's text must be a
word (a state, a version, a path) unless its field is known to hold a sentence; and no text or
number anywhere may look like a card. It keeps nothing of what it found but how often.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum

from agent.core.money import cards

#: In a field's name, between underscores. No reading of ours is called so.
_SECRET_WORDS = frozenset(
    {
        "pan",
        "pin",
        "pinblock",
        "cvv",
        "cvc",
        "track",
        "track1",
        "track2",
        "track3",
        "magstripe",
        "cardholder",
        "holder",
        "customer",
        "cashier",
        "receipt",
        "receipts",
        "keycode",
        "keycodes",
        "scancode",
        "scancodes",
        "keystrokes",
        "pressed",
        "typed",
        "password",
        "passphrase",
        "secret",
    }
)
_SECRET_PAIRS = re.compile(
    r"(?:^|_)(?:card_(?:no|num|number|holder|data)|key_(?:code|codes|name|names|value|pressed|log)"
    r"|scan_codes?|last_(?:key|code|scan|barcode)|bar_?code|person_name|first_name|last_name"
    r"|phone_number|id_number)(?:_|$)"
)
#: A state, a version, an address, a path; not a sentence, a name with its title or a receipt.
_WORD = re.compile(r"[!-~]{0,64}")
#: Readings of ours that say a sentence; of other fields a text is a word or stays here.
SENTENCES = re.compile(
    r"(?:printer|scanner|keypad)_(?:error|offline_reason|make|model|firmware|serial|interface"
    r"|driver)|(?:system|software|connectivity|link|signal|clock|uplink|queue|agent|inspection"
    r"|devices|channels|configuration|fleet)_[a-z0-9_]+|payment_app_(?:version|state|error)"
    r"|arg_[a-z0-9_]+"
)
#: Known by the contract, digits by nature: a merchant id of 15 begins like a card in whole
#: provinces. Longer ones are looked at.
_IDENTIFIERS = frozenset({"terminal_ids", "merchant_ids", "terminal_id", "merchant_id"})
_IDENTIFIER_CHARS = 15
#: Numbers that have as many digits as a card and cannot be one.
_COUNTED = re.compile(r"(?:^|_)(?:ts|ms|ns|bytes|minor|minor_[a-z]{3})$")
_SMALL = 10 ** (cards.SHORTEST - 1)
#: Milliseconds of the year 2096, four terabytes: beyond it a name that a vendor's program chose
#: vouches for no number.
_MOST = 4 * 10**12


class Found(StrEnum):
    """Why something was withheld."""

    NAME = "name"  #: the field's name announces what may not leave
    TEXT = "text"  #: not a word
    CARD = "card"  #: looks like a card's number or track


def reading(name: str, value: object) -> Found | None:
    """Why a reading may not leave by its name or form; cards are looked for by `with_card`."""
    if announces(name) and not isinstance(value, bool | None):
        return Found.NAME
    if isinstance(value, str) and not _WORD.fullmatch(value) and not SENTENCES.fullmatch(name):
        return Found.TEXT
    return None


def announces(name: str) -> bool:
    """Whether a field of this name would hold what may not leave."""
    return not _SECRET_WORDS.isdisjoint(name.split("_")) or bool(_SECRET_PAIRS.search(name))


def with_card(fields: Mapping[str, object], *, foreign: bool = False) -> list[str]:
    """Which fields hold what looks like a card, at any depth; mostly none, and that is quick.

    `foreign`: vendors' programs may have named some of them.
    """
    most = _MOST if foreign else math.inf
    texts: list[tuple[str, str]] = []
    for name, value in fields.items():
        texts += [(name, said) for said in _texts(name, value, most)]
    if not texts or not cards.contains("\n".join(said for _, said in texts)):
        return []
    found = dict.fromkeys(name for name, said in texts if cards.contains(said))
    # Together they hold one and alone none does: chance, or a number over two fields.
    return list(found) or list(dict.fromkeys(name for name, _ in texts))


def named(value: object) -> bool:
    """Whether a document has a field, at any depth, that announces card data and has it."""
    todo = [value]
    while todo:
        match todo.pop():
            case dict() as inner:
                for name, each in inner.items():
                    if _clear(str(name), each):
                        return True
                    todo.append(each)
            case list() as several:
                todo += several
    return False


def _clear(name: str, value: object) -> bool:
    if not cards.forbidden(name) and not announces(name.lower()):
        return False
    match value:
        case None | bool() | dict() | list():
            return False
    return cards.in_clear(str(value))


def _texts(name: str, value: object, most: float) -> Iterator[str]:
    """What is worth a look, deep down; a list, not recursion: a result's depth is not ours."""
    todo: list[tuple[str, object]] = [(name, value)]
    while todo:
        name, value = todo.pop()
        match value:
            case bool() | None:
                continue
            case str() if len(value) >= cards.SHORTEST:
                if name not in _IDENTIFIERS or len(value) > _IDENTIFIER_CHARS:
                    yield value
            case int() if abs(value) >= (most if _COUNTED.search(name) else _SMALL):
                yield str(abs(value))
            case float() if abs(value) >= _SMALL:
                yield f"{abs(value):.0f}"
            case dict():
                todo += [(str(inner), each) for inner, each in value.items()]
                # A name can be a number as well.
                todo += [("", str(inner)) for inner in value]
            case list():
                todo += [(name, each) for each in value]
            case _:
                continue
