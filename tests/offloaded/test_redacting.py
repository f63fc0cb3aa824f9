"""What leaves in a support bundle holds no card number and no secret, in whatever form it stood."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.money import cards
from agent.offloaded.redacting import CARD, LINE, SECRET, Redactor

NUMBER = "6222021234567890128"
FULL_WIDTH = "".join(chr(0xFF10 + int(digit)) for digit in NUMBER)

FORMS = {
    "plain": NUMBER,
    "in words": f"card={NUMBER};",
    "as printed": "6222 0212 3456 7890 128",
    "with hyphens": "6222-0212-3456-7890-128",
    "full width": FULL_WIDTH,
    "track 2": f";{NUMBER}=25121011234567890?",
    "hexadecimal": NUMBER.encode().hex(),
    "base64": base64.b64encode(f"pan {NUMBER}".encode()).decode(),
    "base64url": base64.urlsafe_b64encode(f"pan {NUMBER}".encode()).decode(),
    "percent": "".join(f"%{ord(digit):02X}" for digit in NUMBER),
    "utf-16": NUMBER.encode("utf-16-le").decode("latin-1"),
}


@pytest.mark.parametrize("form", sorted(FORMS))
def test_a_card_number_is_taken_out_in_every_form(form: str) -> None:
    """The line around it stays, or goes with it; that it was there is counted."""
    redactor = Redactor([])
    told = redactor.text(f"before\nx {FORMS[form]} y\nafter\n")
    assert NUMBER not in told
    assert FORMS[form] not in told
    assert not cards.contains(told)
    assert CARD in told or LINE in told
    assert redactor.cards == 1
    assert told.startswith("before\n")
    assert told.endswith("after\n")


@pytest.mark.parametrize("form", sorted(FORMS))
def test_a_card_number_is_taken_out_of_names_and_values(form: str) -> None:
    """A document stays a document."""
    redactor = Redactor([])
    told = redactor.document({FORMS[form]: [1, {"a": FORMS[form]}, None, True]})
    text = json.dumps(told, ensure_ascii=False)
    assert not cards.contains(text)
    assert FORMS[form] not in text
    assert redactor.cards == 2


def test_a_number_that_is_a_card_goes_and_others_stay() -> None:
    """Amounts, times and counts are not touched."""
    redactor = Redactor([])
    given_ = {"pan": int(NUMBER), "at_ms": 1_764_000_000_000, "amount": 12.5, "on": False}
    assert redactor.document(given_) == {**given_, "pan": CARD}


SECRET_TEXT = "s3cret-Pa55word-of-the-broker"
PEM = (
    "-----BEGIN PRIVATE KEY-----\n"
    + base64.b64encode(bytes(range(48))).decode()
    + "\n-----END PRIVATE KEY-----\n"
)
RAW = bytes(range(200, 232))


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    (tmp_path / "password").write_text(SECRET_TEXT + "\n")
    (tmp_path / "tls.key").write_text(PEM)
    (tmp_path / "row.key").write_bytes(RAW)
    (tmp_path / "payload.keys").write_text(json.dumps({"1": RAW[::-1].hex()}))
    return [*sorted(tmp_path.iterdir()), tmp_path / "absent"]


SHOWN = {
    "password": SECRET_TEXT,
    "password in a line": f"connecting with {SECRET_TEXT} as till",
    "password in base64": base64.b64encode(f"till:{SECRET_TEXT}".encode()).decode(),
    "password in hexadecimal": SECRET_TEXT.encode().hex(),
    "key block": PEM,
    "inside of a key block": PEM.split("\n")[1],
    "raw key in hexadecimal": RAW.hex(),
    "raw key in capitals": RAW.hex().upper(),
    "raw key in base64": base64.b64encode(RAW).decode(),
    "raw key in base64url": base64.urlsafe_b64encode(RAW).decode(),
    "key of the ring": RAW[::-1].hex(),
}


@pytest.mark.parametrize("form", sorted(SHOWN))
def test_what_stands_in_a_secret_file_is_taken_out(form: str, files: list[Path]) -> None:
    """In the form it is kept in and in those it is written down in; control: it is there before."""
    told = Redactor(files).text(f"a {SHOWN[form]} z")
    assert SHOWN[form].strip() not in told
    assert SECRET in told
    assert told.startswith("a ")
    assert told.endswith(" z")
    assert SHOWN[form] in Redactor([]).text(f"a {SHOWN[form]} z") or form == "key block"


@pytest.mark.parametrize(
    ("given_", "left"),
    [
        ("https://till:hunter22@host/x", f"https://{SECRET}@host/x"),
        ("Authorization: Bearer abcdef0123456789", f"Authorization: Bearer {SECRET}"),
        ("password = hunter22 user=till", f"password = {SECRET} user=till"),
        ('{"token": "hunter22"}', '{"token": ' + SECRET + "}"),
        ("posagent-recovery-secret-1 aabbccdd", SECRET),
        ("-----BEGIN EC PRIVATE KEY-----\nQUJD", SECRET),
    ],
)
def test_what_looks_like_a_secret_is_taken_out(given_: str, left: str) -> None:
    """Although no file of this terminal holds it."""
    redactor = Redactor([])
    assert redactor.text(given_) == left
    assert redactor.secrets == 1


def test_a_value_under_a_telling_name_is_taken_out() -> None:
    """A payment's key and a file's name are none."""
    told = Redactor([]).document({"proxy_password": "x1", "key": "k-1", "token_file": "/etc/t"})
    assert told == {"proxy_password": SECRET, "key": "k-1", "token_file": "/etc/t"}


@given(st.recursive(st.text() | st.integers() | st.none(), st.lists))
def test_nothing_makes_it_raise(given_: object) -> None:
    """Whatever is in it; and no card number is left."""
    told = Redactor([]).document(given_)
    json.dumps(told)
    assert isinstance(told, type(given_) | str)
