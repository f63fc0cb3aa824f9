"""What a command brings back: the answer of the action, as small as a SIM card wants it.

Of payments only key, state and cause are told: nothing of cards, not even masked, no traces, no
references. Of a verdict that is everything but what the payment was. Long lists are cut and say how
many are left. Decides nothing else.
"""

from __future__ import annotations

import json
from typing import Any

from agent.core.fleet.messages import MAX_RESULT_BYTES
from agent.core.fleet.outgoing import reading
from agent.wire.api import Message, encode

#: What is told of one payment.
_PAYMENT = ("key", "state", "in_doubt", "cause")
#: Operations whose answer lists payments, and under which name.
_PAYMENTS = {"queue_retry": "items", "queue_hold": "items", "queue_release": "items"}
#: Of a verdict: `facts` and the plain text quote the payment.
_VERDICTS = ("why", "why_transaction", "why_question")
_INSPECTIONS = ("inspect", "inspection")
_VERDICT = (
    "at", "key", "headline", "stages", "findings", "omitted", "advice", "unknowns", "question",
    "payments", "payments_total",
)  # fmt: skip
#: Of a payment a verdict lists.
_AFFECTED = ("key", "state", "in_doubt", "code")


def told(operation: str, answer: Message) -> dict[str, object]:
    """The answer of an action as plain JSON, without what the fleet has no business with."""
    return shown(operation, json.loads(encode(answer)))


def shown(operation: str, plain: dict[str, Any]) -> dict[str, object]:
    """The same of the answer's JSON. Changes `plain`."""
    name = _PAYMENTS.get(operation)
    if name is not None:
        plain[name] = [
            {field: one[field] for field in _PAYMENT if one.get(field) not in (None, "")}
            for one in plain.get(name, [])
        ]
    if operation in _VERDICTS:
        plain["payments"] = [
            {field: one[field] for field in _AFFECTED if one.get(field) not in (None, "")}
            for one in plain.get("payments", [])
        ]
        told_fields = (field for field in _VERDICT if plain.get(field) not in (None, [], ""))
        plain = {field: plain[field] for field in told_fields}
        if not plain.get("question"):
            plain.pop("payments_total", None)
    if operation in _INSPECTIONS:
        # Read by vendors' programs too, so by the rules of a reading.
        for check in plain.get("checks", []):
            evidence = check.get("evidence", {})
            check["evidence"] = {
                field: value for field, value in evidence.items() if not reading(field, value)
            }
    return plain


def fitted(result: dict[str, object]) -> bytes | None:
    """Its bytes, at most `MAX_RESULT_BYTES`; nothing to tell: None."""
    if not result:
        return None
    text = _encoded(result)
    while len(text) > MAX_RESULT_BYTES:
        longest = max(_lists(result), key=lambda found: len(_encoded(found[0][found[1]])),
                      default=None)  # fmt: skip
        if longest is None:
            return _encoded({"too_large_bytes": len(text)})
        holder, name = longest
        found = holder[name]
        keep = len(found) // 2
        left = f"{name}_left"
        holder[left] = int(holder.get(left, 0)) + len(found) - keep
        holder[name] = found[:keep]
        text = _encoded(result)
    return text


def _encoded(plain: object) -> bytes:
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode()


def _lists(plain: Any) -> list[tuple[dict[str, Any], str]]:
    """Every list that is not empty, by who holds it."""
    found: list[tuple[dict[str, Any], str]] = []
    if isinstance(plain, dict):
        for name, value in plain.items():
            if isinstance(value, list) and value:
                found.append((plain, name))
            found += _lists(value)
    elif isinstance(plain, list):
        for value in plain:
            found += _lists(value)
    return found
