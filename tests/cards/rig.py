"""Counts what the card data guard misses and what it takes for a card by mistake.

Run as `python -m tests.cards`: a million numbers that are none, and every published test number in
every form, at the function and at the border. Control: the check digit alone, which must flag a
tenth of the same million. `tests/cards/test_short.py` is the short form of it.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from agent.core.money import cards, emv
from agent.wire.problem import RequestError
from agent.wire.submit import decode_submission
from tests.cards import chance, numbers

BATCH = 500
_LONG = re.compile(r"(?<![0-9])[0-9]{13,19}(?![0-9])")
SALE = {
    "key": "sale-1", "terminal_id": "T0000001", "merchant_id": "M1", "kind": "sale",
    "posting": "advice", "occurred_at": "2026-11-02T14:05:09+08:00", "amount_minor": 1250,
    "currency": "CNY",
}  # fmt: skip


@dataclass
class Tally:
    """What one run found."""

    looked_at: int = 0
    mistaken: list[str] = field(default_factory=list)
    by_check_digit: int = 0  #: what the control would have flagged
    forms: int = 0
    missed: list[str] = field(default_factory=list)


def chance_numbers(tally: Tally, total: int, seed: int = 1) -> Iterator[tuple[str, int, int]]:
    """Look at `total` numbers that are no cards, all kinds alike: (kind, looked at, mistaken)."""
    share = total // len(chance.KINDS)
    for kind in chance.KINDS:
        count = (
            share if kind != next(iter(chance.KINDS)) else total - share * (len(chance.KINDS) - 1)
        )
        before = len(tally.mistaken)
        waiting: dict[bool, list[str]] = {True: [], False: []}
        for identifier, text in chance.lines(kind, count, seed):
            waiting[identifier].append(text)
            tally.by_check_digit += any(cards.luhn(n) for n in _LONG.findall(text))
            if len(waiting[identifier]) == BATCH:
                _look(waiting[identifier], identifier, tally)
        for identifier, texts in waiting.items():
            _look(texts, identifier, tally)
        tally.looked_at += count
        yield kind, count, len(tally.mistaken) - before


def _look(texts: list[str], identifier: bool, tally: Tally) -> None:
    """A batch at once is quicker; what is wrong with it is then found one by one."""
    if _taken("\n".join(texts), identifier):
        tally.mistaken += [text for text in texts if _taken(text, identifier)]
    texts.clear()


def _taken(text: str, identifier: bool) -> bool:
    if cards.contains(text, identifier=identifier):
        return True
    return bool(emv.forbidden_tags(cards.card_codes.tokens(text))) or cards.masked(text) != text


def published(tally: Tally) -> None:
    """Every published number in every form: found, masked, refused at the border."""
    for number in numbers.every():
        for form, text in numbers.forms(number):
            _expect(tally, f"{number} as {form}", cards.contains(text))
            _expect(tally, f"{number} as {form} masked", not cards.contains(cards.masked(text)))
            _expect(tally, f"{number} as {form} at the border", _refused(text.encode()))
        for form, raw in numbers.chip(number):
            _expect(tally, f"{number} in tag {form}", bool(emv.forbidden_tag(raw)))
            for name, text in (("hex", raw.hex()), ("base64", base64.b64encode(raw).decode())):
                inside = json.dumps({"iccData": text}).encode()
                _expect(tally, f"{number} in tag {form} as {name}", _refused(inside))
            _expect(tally, f"{number} in tag {form} as bytes", _refused(raw, "application/emv"))
    company = bytes.fromhex("9F3602001F9F2701809F2608") + bytes(range(8))
    for tag, value in numbers.CHIP_ONLY.items():
        raw = company + bytes.fromhex(tag) + bytes([len(value)]) + value
        _expect(tally, f"tag {tag}", emv.forbidden_tag(raw) == tag)
        _expect(tally, f"tag {tag} at the border", _refused(json.dumps({"e": raw.hex()}).encode()))


def _expect(tally: Tally, what: str, found: bool) -> None:
    tally.forms += 1
    if not found:
        tally.missed.append(what)


def _refused(body: bytes, content_type: str = "application/vnd.acquirer") -> bool:
    sent = {"content_type": content_type, "base64": base64.b64encode(body).decode()}
    try:
        decode_submission(json.dumps({**SALE, "payload": sent}).encode(), ("main",))
    except RequestError as error:
        return error.code == "card.clear_data"
    return False
