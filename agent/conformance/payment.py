"""A test payment as it goes over the wire, and the target it goes to.

Decides headers and bytes; knows the contract's names and nothing of connections or verdicts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from agent.http.client import Origin

#: `{{key}}` in a body template; a closed list, so that a misspelt one is noticed.
PLACEHOLDERS = (
    "key", "terminal_id", "merchant_id", "kind", "posting", "amount_minor", "currency",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where test payments go and what they look like."""

    origin: Origin
    path: str
    terminal_id: str
    merchant_id: str
    kind: str = "sale"
    posting: str = "advice"
    amount_minor: int = 1
    currency: str = "CNY"
    content_type: str = "application/json"
    template: bytes | None = None
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)  #: credentials
    answer_timeout_s: float = 30.0
    in_flight_s: float = 60.0
    other_terminal_id: str = ""
    decline_amount_minor: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One payment; two that are equal are the same bytes on the wire."""

    key: str
    terminal_id: str
    merchant_id: str
    kind: str
    posting: str
    amount_minor: int
    currency: str
    content_type: str
    body: bytes

    @classmethod
    def of(cls, target: Target, key: str, amount_minor: int | None = None) -> Self:
        amount = target.amount_minor if amount_minor is None else amount_minor
        values: dict[str, str | int] = {
            "key": key,
            "terminal_id": target.terminal_id,
            "merchant_id": target.merchant_id,
            "kind": target.kind,
            "posting": target.posting,
            "amount_minor": amount,
            "currency": target.currency,
        }
        return cls(
            key=key,
            terminal_id=target.terminal_id,
            merchant_id=target.merchant_id,
            kind=target.kind,
            posting=target.posting,
            amount_minor=amount,
            currency=target.currency,
            content_type=target.content_type,
            body=_body(target.template, values),
        )

    def longer(self) -> Self:
        """The same payment with a line feed behind its body: JSON and XML do not mind."""
        return replace(self, body=self.body + b"\n")

    def headers(self, attempt: int) -> dict[str, str]:
        """As the agent sends them, without credentials."""
        return {
            "Idempotency-Key": self.key,
            "Content-Type": self.content_type,
            "Accept": "application/json",
            "Terminal-Id": self.terminal_id,
            "Merchant-Id": self.merchant_id,
            "Transaction-Kind": self.kind,
            "Transaction-Posting": self.posting,
            "Transaction-Amount": f"{self.amount_minor} {self.currency}",
            "Attempt": str(attempt),
        }


def _body(template: bytes | None, values: Mapping[str, str | int]) -> bytes:
    if template is None:
        return json.dumps({**values, "note": "posagent conformance"}).encode()
    for name in PLACEHOLDERS:
        template = template.replace(b"{{%s}}" % name.encode(), str(values[name]).encode())
    return template


def raw_post(target: Target, payment: Payment) -> bytes:
    """The whole request as bytes, for lines that are cut within it."""
    own = {name.lower() for name, _ in target.headers}
    headers = [
        ("Host", target.origin.authority),
        *target.headers,
        *(pair for pair in payment.headers(1).items() if pair[0].lower() not in own),
        ("Content-Length", str(len(payment.body))),
    ]
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"POST {target.path} HTTP/1.1\r\n{lines}\r\n".encode("ascii") + payment.body
