"""Whether a payment fits the one it refers to: enough money in it, of the right kind, still open.

Called by the store's examiner, which looks the original up. What takes a payment back is never
refused for it; a refund of more than was paid is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agent.core.money.lately import Past
from agent.core.money.limits import Finding, Ground, Level
from agent.core.money.transaction import Kind, Transaction

#: What may be done to which kind.
_FITS = {
    Kind.REFUND: (Kind.SALE, Kind.PREAUTH_COMPLETION),
    Kind.QR_REFUND: (Kind.QR_SALE,),
    Kind.QR_CANCEL: (Kind.QR_SALE,),
    Kind.VOID: (Kind.SALE, Kind.REFUND),
    Kind.PREAUTH_COMPLETION: (Kind.PREAUTH,),
    Kind.PREAUTH_VOID: (Kind.PREAUTH,),
    Kind.PREAUTH_COMPLETION_VOID: (Kind.PREAUTH_COMPLETION,),
}
REFERRING = frozenset(_FITS)


def against_original(t: Transaction, original: Past | None, *, settled: bool) -> Iterator[Finding]:
    """What speaks against `t`, which is one of REFERRING. `original`: None: not in this journal.

    `settled`: its batch is reported closed.
    """
    if original is None:
        # Others may be at another terminal or older than the journal; a completion asks for one.
        if t.kind is Kind.PREAUTH_COMPLETION and t.refers_to is None:
            yield _wrong("type.no_preauth", Level.CONFIRM, {"found": t.kind.value})
        return
    if original.kind not in _FITS[t.kind]:
        told = {"found": t.kind.value, "original": original.kind.value}
        yield _wrong("type.wrong_original", Level.CONFIRM, told)
        return
    more = (t.amount_minor or 0) - (original.amount_minor or 0)
    if t.kind in (Kind.REFUND, Kind.QR_REFUND) and t.currency == original.currency and more > 0:
        amounts: dict[str, str | int] = {
            "currency": t.currency or "",
            "found": t.amount_minor or 0,
            "limit": original.amount_minor or 0,
        }
        yield _wrong("refund.too_large", Level.REFUSE, amounts)
    if settled:
        yield _wrong("void.settled", Level.CONFIRM, {"expected": Kind.REFUND.value})


def _wrong(code: str, level: Level, args: Mapping[str, str | int]) -> Finding:
    return Finding(
        code=code, cause="operator.wrong_payment_type", level=level, ground=Ground.PARAMETER,
        where="refers_to", args=args,
    )  # fmt: skip
