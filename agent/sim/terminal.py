"""What a payment app builds: ISO 8583 messages as a UnionPay terminal would send them.

For tests, rigs and the demo. The messages hold no card data: as a certified app does when the agent
carries its messages, the card travels as a token in a field of the host's own (here 57). The MAC is
eight bytes of nothing; the simulated acquirer does not check it, and the agent cannot.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from agent.core.money.iso8583 import Message
from agent.uplink.iso8583.codec import Codec

CONTENT_TYPE = "application/octet-stream"


@dataclass(slots=True, kw_only=True)
class PaymentApp:
    """One terminal's app: numbers its messages and hands them over as the local API wants them."""

    terminal_id: str = "T0000001"
    merchant_id: str = "M00000000000001"
    batch: str = "000001"
    stan: int = 0
    codec: Codec | None = None

    def next_stan(self) -> str:
        self.stan = self.stan % 999_999 + 1
        return f"{self.stan:06d}"

    def message(
        self, mti: str, stan: str, *, processing: str = "000000", amount: int | None = None,
        network: str = "000", **more: str,
    ) -> bytes:  # fmt: skip
        """A message from its type on; `more` are fields as `f39="98"`."""
        fields = {
            "3": processing,
            "11": stan,
            "25": "00",
            "41": self.terminal_id,
            "42": self.merchant_id,
            "49": "156",
            "57": hashlib.blake2b(stan.encode(), digest_size=12).hexdigest().upper(),
            "60": f"22{self.batch}{network}",
            "64": "00" * 8,
        }
        if amount is not None:
            fields["4"] = f"{amount:012d}"
        fields |= {name.removeprefix("f"): value for name, value in more.items()}
        return (self.codec or Codec()).encode(Message(mti, fields))

    def sale(self, key: str, amount: int = 1250, **changes: Any) -> dict[str, Any]:
        """A sale as a request, with its reversals."""
        return self.payment(key, "0200", amount=amount, kind="sale", posting="request", **changes)

    def advice(self, key: str, amount: int = 1250, **changes: Any) -> dict[str, Any]:
        """A sale the terminal approved itself (off-line settlement)."""
        return self.payment(
            key, "0220", amount=amount, kind="sale", posting="advice",
            customer_saw="approved", **changes,
        )  # fmt: skip

    def void(self, key: str, of: str, stan: str, amount: int = 1250) -> dict[str, Any]:
        """Takes back a sale that was posted."""
        return self.payment(
            key, "0200", amount=amount, kind="void", posting="request", refers_to=of,
            processing="200000", f61=f"{self.batch}{stan}1101",
        )  # fmt: skip

    def reversal(self, key: str, of: str, stan: str, amount: int = 1250) -> dict[str, Any]:
        """A reversal the app makes itself, with the original's STAN."""
        return self.payment(
            key, "0400", amount=amount, kind="reversal", posting="advice", refers_to=of,
            stan=stan, f39="98",
        )  # fmt: skip

    def batch_upload(self, key: str, covers: list[str]) -> dict[str, Any]:
        return self.payment(
            key, "0320", kind="batch_upload", posting="advice", covers=covers, network="201"
        )

    def settlement(self, key: str) -> dict[str, Any]:
        return self.payment(key, "0500", kind="settlement", posting="advice", network="201")

    def payment(
        self, key: str, mti: str, *, kind: str, posting: str, amount: int | None = None,
        processing: str = "000000", network: str = "000", stan: str | None = None, **changes: Any,
    ) -> dict[str, Any]:  # fmt: skip
        """The body of `POST /v1/transactions`. `f…` are fields of the message, the rest of the
        record; None leaves a key of the record out."""
        stan = stan or self.next_stan()
        inside = {name: changes.pop(name) for name in list(changes) if name[1:].isdecimal()}
        body: dict[str, Any] = {
            "key": key,
            "terminal_id": self.terminal_id,
            "merchant_id": self.merchant_id,
            "kind": kind,
            "posting": posting,
            "occurred_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "stan": stan,
            "batch": self.batch,
            "payload": part(
                self.message(
                    mti, stan, processing=processing, amount=amount, network=network, **inside
                )
            ),
        }
        if amount is not None:
            body |= {"amount_minor": amount, "currency": "CNY"}
        if posting == "request":
            body["reversal_key"] = f"{key}-rev"
            body["reversal_payloads"] = {
                reason: part(
                    self.message("0400", stan, processing=processing, amount=amount, f39=reason)
                )
                for reason in ("98", "96", "A0", "06")
            }
        body |= changes
        return {name: value for name, value in body.items() if value is not None}


def part(message: bytes) -> dict[str, str]:
    """A message as the local API takes it."""
    return {"content_type": CONTENT_TYPE, "base64": base64.b64encode(message).decode()}
