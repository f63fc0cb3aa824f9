"""What is true on the terminal while payments are captured, in the few words statistics compare.

Made of what the watchers last said and of the alarms that stand; asks nothing itself. What nobody
can say is `unknown`, a value of its own. Called by `agent.main.arounds` for each new payment.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent.core.health.reading import NotFitted, NotObservable, Outcome, Reading
from agent.core.health.tracker import Alarm, ComponentState
from agent.record import dataclass

UNKNOWN = "unknown"
#: How interfaces of a kind begin to be called.
_KINDS = (
    ("wifi", ("wl", "ath", "ra")),
    ("cellular", ("wwan", "ppp", "rmnet", "ccmni", "seth_lte", "wwp")),
    ("vpn", ("tun", "tap", "wg")),
    ("ethernet", ("eth", "en", "usb", "br", "bond", "lan")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What was true on the terminal when payments were captured; unknown is a value."""

    network: str = UNKNOWN
    channel: str = UNKNOWN
    signal: str = UNKNOWN
    printer: str = UNKNOWN


def around_of(
    components: Sequence[ComponentState], alarms: Sequence[Alarm], channel: str, kind: str
) -> Around:
    """`channel` and its `kind` are those in use; "": none is configured."""
    told = {state.component: state.outcome for state in components}
    network = kind or _network(told.get("connectivity"))
    return Around(
        network=network,
        channel=channel or UNKNOWN,
        signal=_signal(told.get("signal"), network),
        printer=_printer(told.get("printer"), alarms),
    )


def _network(connectivity: Outcome | None) -> str:
    if not isinstance(connectivity, Reading):
        return UNKNOWN
    if connectivity.values.get("link_up") is False:
        return "none"
    name = str(connectivity.values.get("interface") or "")
    return next((kind for kind, starts in _KINDS if name.startswith(starts)), UNKNOWN)


def _signal(signal: Outcome | None, network: str) -> str:
    if network == "ethernet":
        return "wired"
    band = signal.values.get("band") if isinstance(signal, Reading) else None
    return band if isinstance(band, str) and band else UNKNOWN


def _printer(printer: Outcome | None, alarms: Sequence[Alarm]) -> str:
    """The alarm that stands, or `ok`."""
    standing = [alarm.code for alarm in alarms if alarm.code.startswith("printer.")]
    if standing:
        return standing[0]
    if isinstance(printer, NotFitted):
        return "not_fitted"
    if isinstance(printer, NotObservable) or not isinstance(printer, Reading):
        return UNKNOWN
    return "ok"
