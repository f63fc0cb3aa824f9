"""What each source of knowledge puts on the scales: health, channels, store, versions.

One function per source; none of them ranks anything (weigh) or knows what a verdict looks like.
Called by `explain` for the whole terminal and for one payment alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from agent.core.money.channel import ChannelState
from agent.core.money.journal import Amounts
from agent.core.why import phrases
from agent.core.why.case import Case, ChannelView, Condition, JournalView, Said, UnknownComponent
from agent.core.why.causes import CATALOGUE, Owner
from agent.core.why.text import Arg, Line, Money, Text, verbatim
from agent.core.why.weigh import BESIDE_THE_MONEY, WAY, Scales, Tier, own_tier, tier_of

#: A change of software is worth naming if the trouble began within a day of it.
CHANGE_WINDOW = timedelta(hours=24)
_CHANGEABLE_PREFIXES = ("software.", "config.", "device.", "tls.")
_CHANGEABLE = frozenset({"host.format_error", "host.rejected", "queue.held"})
#: What is known of versions themselves is no trouble a change has caused.
_OF_VERSIONS = frozenset({"software.outdated", "software.update_pending", "software.update_failed"})
_SIM = "network.sim_problem"
_ELSEWHERE = frozenset({Owner.ACQUIRER, Owner.BANK, Owner.MERCHANT})
_CELLULAR = ("wwan", "ppp", "rmnet", "ccmni", "seth_lte", "wwp")
#: Causes that are over as soon as the way to the host works again.
_WAY_PREFIXES = ("network.", "tls.", "clock.")
_WAY_CODES = frozenset(
    {
        "host.busy",
        "host.down",
        "host.maintenance",
        "host.no_reply",
        "config.credential_expired",
        "config.permission_denied",
    }
)


def connection_level(code: str) -> bool:
    """Whether `code` is about the way to the host, not about one payment."""
    return code.startswith(_WAY_PREFIXES) or code in _WAY_CODES


def amounts_of(sums: Mapping[str, int]) -> tuple[Money, ...]:
    """Sums by currency as amounts, in a fixed order."""
    return tuple(Money(sums[currency], currency) for currency in sorted(sums))


def sum_line(text: Text, amounts: Amounts) -> Line:
    """A count of payments with their sums."""
    return Line(text, {"count": amounts.count, "amounts": amounts_of(amounts.by_currency)})


def add_agent(scales: Scales, case: Case) -> None:
    """The agent itself and its clock."""
    if not case.daemon_alive:
        scales.add(
            "software.agent_degraded", tier=Tier.BLOCK, evidence=(Line(phrases.NOT_RUNNING),)
        )
    if not case.now.trusted:
        line = Line(phrases.CLOCK_IMPOSSIBLE, {"at": case.now.at})
        scales.add("clock.wrong", evidence=(line,))
    elif not case.now.carried and _of_another_boot(case):
        scales.add("clock.wrong", evidence=(Line(phrases.CLOCK_STOOD),))


def _of_another_boot(case: Case) -> bool:
    """Whether the payment is an unsent request with a time limit from before this boot."""
    record = None if case.payment is None else case.payment.record
    if record is None or record.final or record.transaction.send_before is None:
        return False
    return record.stored.wall_ms < case.now.wall_ms - case.now.boot_ms


def add_conditions(scales: Scales, conditions: Iterable[Condition]) -> None:
    """What the watchers saw."""
    for one in conditions:
        evidence = []
        if one.component:
            facts: dict[str, Arg] = {"component": one.component, "since": one.since_at}
            evidence.append(Line(phrases.OBSERVED, facts))
        if not one.known:
            evidence.append(Line(phrases.SILENT_SINCE))
        scales.add(
            one.code,
            tier=tier_of(one.code, one.component),
            since_at=one.since_at,
            args=one.args,
            evidence=evidence,
            after=one.suppressed_by or _of_sim(one),
        )


def _of_sim(one: Condition) -> str:
    """Without its card a modem has no link, nor anything that comes after it."""
    interface = str(one.args.get("interface") or "")
    return _SIM if one.code in WAY and interface.startswith(_CELLULAR) else ""


def add_said(scales: Scales, said: Iterable[Said], place: Callable[[str], Tier] = own_tier) -> None:
    """What others found out."""
    for one in said:
        scales.add(
            one.code,
            tier=place(one.code),
            since_at=one.since_at,
            args=one.args,
            evidence=one.evidence,
            owner=one.owner,
        )


def listed_tier(case: Case) -> Callable[[str], Tier]:
    """Where causes found in somebody's list stand: nobody is sent to the acquirer for money that is
    there while something here keeps other money from being sent."""
    unsent = case.backlog is not None and case.backlog.total.count > 0

    def place(code: str) -> Tier:
        far = code in CATALOGUE and CATALOGUE[code].owner in _ELSEWHERE
        listed = far and code.startswith(("settlement.", "account.", "config.settlement"))
        return Tier.LISTED if unsent and listed else own_tier(code)

    return place


def whose_dates(scales: Scales, code: str) -> str:
    """Whom a certificate that is not valid yet speaks against: the clock, unless that is vouched
    for and the certificate is what the watchers doubt."""
    if code == "clock.wrong" and code not in scales.codes and "tls.untrusted" in scales.codes:
        return "tls.untrusted"
    return code


def add_channels(scales: Scales, channels: Iterable[ChannelView]) -> list[Line]:
    """What keeps the ways to the hosts from carrying payments; returns what is not known."""
    unknown = []
    for one in channels:
        evidence = [channel_line(one), *(verbatim(words) for words in one.evidence)]
        args: dict[str, Arg] = {}
        code = whose_dates(scales, one.cause)
        match one.state:
            case ChannelState.OK:
                continue
            case ChannelState.DISABLED:
                code, args = "config.not_activated", {"channel": one.name}
            case ChannelState.SHADOW:
                code = "config.not_activated"
                args = {"missing": f'[[uplink]] name = "{one.name}", shadow = true'}
            case _:
                args = {"retry_at": one.next_attempt_at, "answer": next(iter(one.evidence), None)}
                if not code:
                    unknown.append(Line(phrases.CHANNEL_UNEXPLAINED, {"name": one.name}))
        scales.add(code, tier=own_tier(code), since_at=one.since_at, args=args, evidence=evidence)
    return unknown


def channel_line(one: ChannelView) -> Line:
    """A channel in one sentence."""
    return Line(
        phrases.CHANNEL,
        {
            "name": one.name,
            "state": phrases.CHANNEL_STATES[one.state],
            "since": one.since_at,
            "next_at": one.next_attempt_at,
            "success_at": one.last_success_at,
        },
    )


def not_configured(scales: Scales, name: str) -> None:
    """Payments for an uplink that does not exist are stored and go nowhere."""
    missing = f'[[uplink]] name = "{name}"' if name else "[[uplink]]"
    evidence = Line(phrases.NO_UPLINK, {"name": name})
    scales.add("config.not_activated", args={"missing": missing}, evidence=(evidence,))


def add_journal(scales: Scales, journal: JournalView | None, sums: Amounts | None) -> None:
    """Damaged journals put aside; `sums` is what the backlog says of them."""
    if journal is None:
        scales.add("software.data_error", evidence=(Line(phrases.JOURNAL_CLOSED),))
        return
    if not journal.quarantined:
        return
    lines = [
        Line(
            phrases.PUT_ASIDE,
            {
                "path": one.path,
                "records": one.records,
                "amounts": amounts_of(one.amounts),
            },
        )
        for one in journal.quarantined
    ]
    args: dict[str, Arg] = {"path": journal.quarantined[0].path}
    if sums is not None:
        args |= {"quarantined": sums.count, "amounts": amounts_of(sums.by_currency)}
    scales.add("queue.quarantined", args=args, evidence=lines)


def add_changes(scales: Scales, case: Case, failed_at: datetime | None) -> None:
    """A change of software shortly before trouble that such a change can cause."""
    suspects = [
        code
        for code in scales.codes
        if (code.startswith(_CHANGEABLE_PREFIXES) or code in _CHANGEABLE)
        and code not in _OF_VERSIONS
    ]
    failed_at = (failed_at or scales.since(suspects)) if suspects else None
    if failed_at is None:
        return
    near = [one for one in case.changes if timedelta(0) <= failed_at - one.at <= CHANGE_WINDOW]
    if not near:
        return
    last = max(near, key=lambda one: (one.at, one.what))
    scales.add(
        "software.recently_changed",
        since_at=last.at,
        args={"what": last.what, "changed_at": last.at, "failed_at": failed_at},
        evidence=[Line(phrases.CHANGED, {"what": one.what, "at": one.at}) for one in near],
    )


def unknown_components(components: Iterable[UnknownComponent], *, aside: bool) -> list[Line]:
    """What the watchers cannot tell; without `aside` only where it could touch the money."""
    return [
        Line(
            phrases.COMPONENT_UNSEEN if one.permanent else phrases.COMPONENT_UNKNOWN,
            {"component": one.component, "reason": one.reason},
        )
        for one in components
        if aside or one.component not in BESIDE_THE_MONEY
    ]


def strange_codes(scales: Scales) -> list[Line]:
    """Cause codes of another version of this program."""
    return [Line(phrases.STRANGE_CODE, {"code": code}) for code in sorted(scales.strange)]
