"""[check], [[limit]] and [app] as the rules the core judges payments by. Called by main."""

from __future__ import annotations

from agent.config import Config, QrWindows, Uplink
from agent.core.money.lately import Watch
from agent.core.money.limits import Ground, Limit, Policy, Rules
from agent.core.money.qr import ALIPAY, WECHAT, Windows
from agent.core.money.stages import Patience
from agent.core.money.transaction import Kind, Posting

#: Never refused for their kind: they take back, upload or close what was taken.
_ALWAYS = frozenset({Kind.REVERSAL, Kind.BATCH_UPLOAD, Kind.SETTLEMENT})


def rules_of(config: Config) -> Rules:
    """The rules of one configuration."""
    check = config.check
    kinds = frozenset(Kind(word) for word in check.kinds)
    return Rules(
        limits=tuple(
            Limit(
                currency=limit.currency,
                posting=None if limit.posting == "any" else Posting(limit.posting),
                single_minor=limit.single_minor,
                confirm_minor=limit.confirm_minor,
                total_minor=limit.total_minor,
                count=limit.count,
                age_s=limit.age_s,
                warn_percent=limit.warn_percent,
            )
            for limit in config.limit
        ),
        duplicate_window_s=check.duplicate_window_s,
        trace_window_s=check.trace_window_s,
        future_s=check.future_s,
        past_s=check.past_s,
        terminal_ids=frozenset(check.terminal_ids),
        merchant_ids=frozenset(check.merchant_ids),
        currencies=frozenset(check.currencies),
        kinds=kinds | _ALWAYS if kinds else kinds,
        policies={
            Ground.LIMIT: Policy(check.on_limit),
            Ground.DUPLICATE: Policy(check.on_duplicate),
            Ground.AMOUNT: Policy(check.on_amount),
            Ground.PARAMETER: Policy(check.on_parameter),
            Ground.SUSPICION: Policy(check.on_suspicion),
        },
        watch=Watch(
            again_window_s=check.again_window_s,
            least=check.habit_payments,
            rare_permille=check.habit_rare_permille,
            declines=check.declines,
            declines_s=check.declines_window_s,
            refunds=check.refunds,
            refunds_s=check.refunds_window_s,
            splits=check.splits,
            splits_s=check.splits_window_s,
            fast_ms=check.fast_ms,
        ),
        qr=windows_of(config),
    )


def patience_of(config: Config) -> Patience:
    """When the silence of the payment app becomes doubt."""
    return Patience(answer_timeout_s=config.app.answer_timeout_s, silence_s=config.app.silence_s)


def windows_of(config: Config) -> dict[str, Windows]:
    """By uplink, the times its payments by code keep."""
    found: dict[str, Windows] = {}
    for uplink in config.uplink:
        if isinstance(uplink, Uplink) and uplink.qr is not None:
            found[uplink.name] = _windows(uplink.qr)
    return found


def _windows(given: str | QrWindows) -> Windows:
    match given:
        case "wechat":
            return WECHAT
        case str():
            return ALIPAY
    return Windows(
        query_s=given.query_s,
        confirm_s=given.confirm_s,
        closes_s=given.closes_s,
        cancel_after_s=given.cancel_after_s,
        cancel_within_s=given.cancel_within_s,
        cancel_day_utc_s=8 * 3_600 if given.cancel_same_day else None,
        cancel_grace_s=given.cancel_grace_s,
        refund_within_s=given.refund_within_s,
    )
