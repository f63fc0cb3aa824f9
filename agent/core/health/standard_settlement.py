"""The conditions settlement lists raise, as data: counts only, never a single payment.

Values are those of the component `settlement`: how many findings no later list took back.
"""

from __future__ import annotations

from agent.core.health.conditions import Condition, Severity, Sign, at_least


def _found(code: str, value: str, severity: Severity) -> Condition:
    return Condition(
        code=code,
        severity=severity,
        signs=(Sign(component="settlement", judge=at_least(value, 1), args=(value,)),),
    )


SETTLEMENT = (
    _found("settlement.not_in_file", "not_in_file", Severity.MAJOR),
    _found("settlement.amount_differs", "amount_differs", Severity.MINOR),
    _found("settlement.duplicate", "settled_twice", Severity.MINOR),
    _found("settlement.risk_hold", "risk_hold", Severity.MINOR),
    _found("settlement.unknown_to_terminal", "unknown_here", Severity.MAJOR),
    _found("account.merchant_restricted", "account_restricted", Severity.MAJOR),
    _found("reversal.completed", "reversed_and_settled", Severity.MAJOR),
)
