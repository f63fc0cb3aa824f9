"""Test numbers the schemes and their processors publish, and the forms a number can travel in.

Every number is from public documentation for testers (named beside it); none is anybody's card.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from urllib.parse import quote

#: Scheme -> numbers. Sources: Worldline Connect, CyberSource, Braintree, Adyen, Stripe, Fat Zebra
#: and Authorize.Net test card pages; UnionPay: its gateway test guide (section 3.2), Worldline's
#: "UnionPay International SecurePay" and CyberSource's "China UnionPay" test cards.
PUBLISHED: Mapping[str, tuple[str, ...]] = {
    "UnionPay": (
        "6216261000000000018", "6221558812340000", "6250947000000014", "6250946000000016",
        "8171999927660000", "6250940500000006", "6250947999990000014", "6200000000000005",
        "6200000000000047", "6205500000000000004", "6212345678901265", "6212345678901232",
        "6212345678900028", "6212345678900036", "6212345678900085", "6212345678900093",
        "62123456789000003", "621234567890000002", "6212345678900000003", "6243030000000001",
        "6221261111117766", "6223164991230014", "6222040000030012", "6250940500000006",
        "8100010000000142", "8100010000000688",
    ),
    "Visa": (
        "4111111111111111", "4012888888881881", "4222222222222", "4005519200000004",
        "4009348888881881", "4012000033330026", "4012000077777777", "4217651111111119",
        "4500600000000061", "4242424242424242", "4000056655665556", "4005550000000019",
        "4007000000027", "4012888818888", "4988438843884305", "4166676667666746",
        "4646464646464644", "4444333322221111", "4400000000000008", "4977949494949497",
        "4154210000000001", "4002770000000008", "4002620000000005",
    ),
    "Mastercard": (
        "5555555555554444", "5105105105105100", "5200828282828210", "2223000048400011",
        "2222420000001113", "2222630000001125", "2223003122003222", "5425233430109903",
        "5100081112223332", "5100290029002909", "5577000055770004", "5136333333333335",
        "5585558555855583", "5555444433331111", "5500000000000004", "5424000000000015",
        "5156230000000004", "5206830000000001", "5125860000000006",
    ),
    "American Express": (
        "378282246310005", "371449635398431", "378734493671000", "370000000000002",
        "373953244361001", "341111111111111",
    ),
    "Discover": (
        "6011111111111117", "6011000990139424", "6011000991300009", "6011000000000012",
        "6445644564456445",
    ),
    "Diners Club": (
        "30569309025904", "38520000023237", "36259600000004", "38000000000006", "36227206271667",
        "36006666333344",
    ),
    "JCB": (
        "3530111333300000", "3566002020360505", "3566111111111113", "3569990010095841",
        "3088000000000017",
    ),
}  # fmt: skip


def every() -> Iterator[str]:
    """All of them."""
    for numbers in PUBLISHED.values():
        yield from dict.fromkeys(numbers)


def _grouped(number: str, mark: str) -> str:
    return mark.join(number[at : at + 4] for at in range(0, len(number), 4))


def forms(number: str) -> Iterator[tuple[str, str]]:
    """(name, text): one number in every form it is looked for in."""
    raw = number.encode()
    yield "plain", f"card {number} ok"
    yield "in words", f"A{number}B"
    yield "spaces", _grouped(number, " ")
    yield "hyphens", _grouped(number, "-")
    yield "single digits", " ".join(number)
    yield "full width", "".join(chr(0xFF10 + int(digit)) for digit in number)
    yield "JSON number", json.dumps({"a": int(number)})
    yield "percent", "x=" + "".join(f"%{byte:02X}" for byte in raw)
    yield "form", f"x={quote(_grouped(number, ' '))}&y=1"
    yield "form with plus", f"x={_grouped(number, '+')}%2C"
    for shift in range(3):
        inside = b'{"a":"' + b"z" * shift + raw + b'"}'
        yield f"base64 +{shift}", base64.b64encode(inside).decode()
        yield f"base64 url +{shift}", base64.urlsafe_b64encode(inside).decode().rstrip("=")
    yield "base64 short", base64.b64encode(raw).decode()
    yield "hex", raw.hex()
    yield "HEX", raw.hex().upper()
    yield "hex bytes", raw.hex(" ")
    yield "hex colons", raw.hex(":")
    yield "track 2", f";{number}=25121010000012345?"
    yield "track 1", f"%B{number}^WANG/WEI^25121010000012345?"
    yield "track 2 in base64", base64.b64encode(f";{number}=2512101".encode()).decode()


def _tlv(tag: str, value: bytes) -> bytes:
    return bytes.fromhex(tag) + bytes([len(value)]) + value


def _packed(digits: str) -> bytes:
    return bytes.fromhex(digits if len(digits) % 2 == 0 else f"{digits}F")


def chip(number: str) -> Iterator[tuple[str, bytes]]:
    """(name, bytes): what a chip card's data says of one number, among its other tags."""
    others = _tlv("9F02", bytes.fromhex("000000001250")) + _tlv("9F36", b"\x00\x1f")
    elements = {
        "57": _packed(f"{number}D25121010000012345"),
        "5A": _packed(number),
        "56": f"B{number}^WANG/WEI^2512101".encode(),
    }
    for tag, value in elements.items():
        yield tag, others + _tlv(tag, value)
        yield f"{tag} in a template", _tlv("70", _tlv(tag, value) + others)
        yield f"{tag} alone", _tlv(tag, value)


#: Chip data without the number that may not be kept either.
CHIP_ONLY: Mapping[str, bytes] = {
    "5F20": b"WANG/WEI",
    "5F24": bytes.fromhex("251231"),
    "9F1F": b"000012345",
    "9F20": bytes.fromhex("0000012345"),
    "99": bytes.fromhex("0412AC89ABCDEF67"),
}
