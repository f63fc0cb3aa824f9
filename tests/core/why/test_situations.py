"""Two hundred terminals with one to four things wrong at once, and what is really wrong known.

The truth comes from a small world of its own: the parts a payment's bytes pass in order, what each
fault does to a part, and what an observer behind a broken part sees of it. It knows nothing of the
engine's tables. A part behind a broken one cannot be seen to be broken itself; it only looks so.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import timedelta

from agent.core.money.channel import ChannelState
from agent.core.money.journal import Amounts, Event, HostResult, Record, State
from agent.core.why.explain import Case, ChannelView, Condition, Payment, Retry, Verdict, explain
from tests.core.why.cases import EARLIER, backlog, case, channel, condition, record, step

SITUATIONS = 200
SEED = 20261122
#: The parts between the payment and its posting, in the order in which bytes pass them.
WAY = (
    "agent", "flash", "setup", "sim", "link", "address", "gateway", "portal", "line", "names",
    "tunnel", "peer", "certificate", "credential", "service",
)  # fmt: skip
#: Parts seen by looking at the terminal itself, whatever the network does.
SEEN_HERE = frozenset({"agent", "flash", "setup", "sim", "link"})
#: What a part that gets nothing through looks like to whoever watches it.
LOOKS = {
    "link": "network.no_link",
    "address": "network.no_address",
    "gateway": "network.no_gateway",
    "line": "network.no_internet",
    "names": "network.dns_failed",
    "tunnel": "network.vpn_down",
    "peer": "network.host_unreachable",
}


@dataclass(frozen=True)
class Fault:
    """Something that is really broken."""

    code: str
    owner: str
    part: str = ""  #: of WAY; "" = no payment passes it
    component: str = "connectivity"
    #: Other things that look broken because of it.
    fakes: tuple[str, ...] = ()
    #: It stops no money: it only slows it or endangers it.
    slows: bool = False


#: Owners as the trade assigns them, from the catalogue's specification.
STOPPING = (
    Fault("queue.store_full", "technician", "flash", "queue"),
    Fault("system.storage_worn", "vendor", "flash", "system", fakes=("queue.store_full",)),
    Fault("network.sim_problem", "technician", "sim", "signal"),
    Fault("network.no_link", "cashier", "link"),
    Fault("network.no_address", "technician", "address"),
    Fault("network.no_gateway", "technician", "gateway"),
    Fault(
        "network.captive_portal", "cashier", "portal",
        fakes=("tls.untrusted", "network.host_unreachable"),
    ),
    Fault("network.no_internet", "merchant", "line"),
    Fault("network.dns_failed", "technician", "names"),
    Fault("network.vpn_down", "technician", "tunnel"),
    Fault("network.host_unreachable", "technician", "peer"),
    Fault(
        "clock.wrong", "technician", "certificate", "clock",
        fakes=("tls.host_certificate_expired", "tls.untrusted", "tls.client_certificate_expired"),
    ),
    Fault(
        "tls.client_certificate_expired", "technician", "certificate",
        fakes=("config.credential_expired", "network.host_unreachable"),
    ),
    Fault("tls.untrusted", "technician", "certificate"),
    Fault("tls.host_certificate_expired", "acquirer", "certificate"),
    Fault("config.credential_expired", "technician", "credential", "uplink"),
    Fault("config.permission_denied", "technician", "credential", "uplink"),
    Fault("host.down", "acquirer", "service", "uplink"),
    Fault("host.maintenance", "acquirer", "service", "uplink"),
)  # fmt: skip
SLOWING = (
    Fault("network.weak_signal", "merchant", fakes=("network.unstable", "network.slow"),
          component="signal", slows=True),
    Fault("power.battery_low", "cashier", component="system", slows=True),
    Fault("network.backup_in_use", "technician", component="channels", slows=True),
    Fault("power.unstable", "technician", component="system", slows=True),
)  # fmt: skip
BESIDE = (
    Fault("printer.paper_out", "cashier", component="printer"),
    Fault("printer.cover_open", "cashier", component="printer"),
    Fault("scanner.battery_low", "cashier", component="scanner"),
    Fault("keypad.stuck_key", "technician", component="keypad"),
    Fault("software.outdated", "vendor", component="software"),
    Fault("fleet.not_authorised", "technician", component="fleet"),
)
ALL = (*STOPPING, *SLOWING, *BESIDE)
OWNERS = {one.code: one.owner for one in ALL} | {"software.agent_degraded": "technician"}
#: What a host refuses a payment with: (response code, cause, owner).
DECLINES = (
    ("51", "card.insufficient_funds", "cashier"),
    ("54", "card.expired", "cashier"),
    ("91", "issuer.unavailable", "cashier"),
    ("55", "card.pin_error", "cashier"),
)


@dataclass
class Terminal:
    """One of them: what is wrong, and what can be seen of it."""

    rng: random.Random
    faults: list[Fault]
    cellular: bool
    alive: bool = True
    seen: dict[str, str] = field(default_factory=dict)  #: code -> component

    def look(self) -> None:
        """What the watchers and the uplink report."""
        broken = [WAY.index(one.part) for one in self.faults if one.part]
        for fault in self.faults:
            hidden = any(
                WAY.index("sim") <= one < WAY.index(fault.part or "service") for one in broken
            )
            if fault.part and fault.part not in SEEN_HERE and hidden:
                if fault.code == "clock.wrong":  # its own clock is looked at here
                    self.seen[fault.code] = fault.component
                continue
            self.seen[fault.code] = fault.component
            for fake in fault.fakes:
                if self.rng.random() < 0.6:
                    self.seen.setdefault(fake, "connectivity")
            if fault.part and fault.part not in ("flash", "setup", "agent"):
                self._look_behind(fault)

    def _look_behind(self, fault: Fault) -> None:
        """Watchers further along report what gets nothing through; some have not looked yet."""
        for part in WAY[WAY.index(fault.part) + 1 :]:
            behind_handshake = fault.part in ("certificate", "credential", "service")
            if part in LOOKS and not behind_handshake and self.rng.random() < 0.5:
                if part == "link" and not self.cellular:
                    continue
                self.seen.setdefault(LOOKS[part], "connectivity")

    def conditions(self) -> tuple[Condition, ...]:
        interface = "wwan0" if self.cellular else "eth0"
        told = [
            condition(code, component=component, args={"interface": interface})
            for code, component in self.seen.items()
            if not code.startswith("host.")
        ]
        self.rng.shuffle(told)
        return tuple(told)

    def channel(self) -> ChannelView:
        """The uplink sees one error: that of the first part it did not get through, or a fake."""
        errors = [
            code for code in self.seen
            if code.startswith(("network.", "tls.", "host.", "config.cred", "config.perm"))
            and code not in {one.code for one in SLOWING}
            and code not in ("network.unstable", "network.slow", "network.sim_problem")
        ]  # fmt: skip
        if not errors:
            return channel()
        remote = [code for code in errors if code.startswith("host.")]
        cause = remote[0] if remote else self.rng.choice(errors)
        return channel(ChannelState.BACKING_OFF, cause, since_at=EARLIER)

    def first(self, stored: bool) -> str:
        """The thing that has to be mended first: "" where none of it concerns the money. A payment
        that is `stored` has passed the flash: a full one only keeps new payments out."""
        if not self.alive:
            return "software.agent_degraded"
        ranked = sorted(
            (WAY.index(one.part), number, one.code)
            for number, one in enumerate(self.faults)
            if one.part and not (stored and one.part == "flash")
        )
        return ranked[0][2] if ranked else ""


def composed(rng: random.Random) -> Terminal:
    """One to four faults, no two of the same part; a SIM only where there is a modem."""
    cellular = rng.random() < 0.5
    wanted = rng.randint(1, 4)
    faults: list[Fault] = []
    while len(faults) < wanted:
        pool = rng.choices((STOPPING, SLOWING, BESIDE), weights=(6, 2, 3))[0]
        fault = rng.choice(pool)
        taken = {one.code for one in faults} | {one.part for one in faults if one.part}
        if fault.code in taken or fault.part in taken:
            continue
        if not cellular and fault.component == "signal":
            continue
        faults.append(fault)
    terminal = Terminal(rng, faults, cellular, alive=rng.random() > 0.08)
    terminal.look()
    return terminal


def payment(rng: random.Random) -> tuple[Record | None, str, str]:
    """A payment, the cause its own state gives, and that cause's owner; None: the terminal."""
    match rng.choice(("terminal", "queued", "waiting", "doubt", "held", "declined")):
        case "queued":
            return record(State.QUEUED), "", ""
        case "waiting":
            return record(State.WAITING, tried=2), "", ""
        case "doubt":
            return record(State.WAITING, in_doubt=True, tried=1, sent=1), "doubt", ""
        case "held":
            return record(State.HELD, note="by a person"), "queue.held", "technician"
        case "declined":
            answer, code, owner = rng.choice(DECLINES)
            result = HostResult(response_code=answer)
            return record(State.DECLINED, result=result), code, owner
        case _:
            return None, "", ""


def told(terminal: Terminal, one: Record | None) -> Case:
    steps = (step(Event.NO_ANSWER),) if one is not None and one.in_doubt else ()
    asked = case(conditions=terminal.conditions(), daemon_alive=terminal.alive)
    if one is not None:
        return replace(
            asked,
            payment=Payment(key=one.key, record=one, steps=steps),
            channels=(terminal.channel(),) if terminal.alive else None,
        )
    unsent = Amounts(count=3, by_currency={"CNY": 3750})
    return replace(
        asked,
        channels=(terminal.channel(),) if terminal.alive else None,
        backlog=backlog(total=unsent, oldest_at=EARLIER - timedelta(hours=1)),
    )


def expected(terminal: Terminal, one: Record | None, own: str) -> str:
    """What must stand first: the payment's own end, else the first broken part of its way, else its
    open outcome, else whatever slows it, else what stands beside it."""
    if own and own != "doubt":
        return own
    root = terminal.first(one is not None)
    remote = root.startswith("host.")
    visible = root in terminal.seen or root == "software.agent_degraded"
    if root and not remote and visible:
        return root
    if own == "doubt":
        return "host.no_reply"
    # Without a daemon nobody tells what the host answers.
    if remote:
        return root
    # Worn flash endangers what is stored.
    slow = [
        fault.code for fault in terminal.faults
        if fault.slows or (one is not None and fault.code == "system.storage_worn")
    ]  # fmt: skip
    if slow:
        return "|".join(slow)
    return "" if one is not None else "|".join(fault.code for fault in terminal.faults)


def situations() -> list[tuple[Terminal, Record | None, str, str, Verdict]]:
    rng = random.Random(SEED)
    found = []
    for _ in range(SITUATIONS):
        terminal = composed(rng)
        one, own, owner = payment(rng)
        found.append((terminal, one, own, owner, explain(told(terminal, one))))
    return found


def test_the_root_cause_stands_first() -> None:
    """In at least 95 of 100 situations the thing to be mended first is the first finding."""
    wrong = []
    for terminal, one, own, _, answer in situations():
        truth = expected(terminal, one, own)
        first = answer.findings[0].code if answer.findings else ""
        if first not in truth.split("|"):
            state = one.state if one else "terminal"
            faults = [fault.code for fault in terminal.faults]
            wrong.append(f"{state} {faults} saw {sorted(terminal.seen)}: {first!r} not {truth!r}")
    right = (SITUATIONS - len(wrong)) / SITUATIONS
    assert right >= 0.95, f"root first in {right:.1%}\n" + "\n".join(wrong)


def test_no_wrong_owner_and_no_retry_in_doubt() -> None:
    """A local fault is never handed to somebody else, and what is in doubt is never taken again."""
    for terminal, one, own, owner, answer in situations():
        for finding in answer.findings:
            if finding.code in OWNERS:
                assert finding.owner == OWNERS[finding.code], finding.code
        if own and own != "doubt":
            assert answer.findings[0].owner == owner
        local = terminal.first(one is not None)
        if own in ("", "doubt") and local and not local.startswith(("host.", "tls.host")):
            assert answer.findings[0].owner not in ("acquirer", "bank", "platform")
        if one is not None and (one.in_doubt or one.state in (State.HELD, State.SENDING)):
            assert answer.advice.retry is Retry.DO_NOT_RETRY
        if one is not None and not one.final:
            assert answer.advice.retry is not Retry.SAFE_TO_RETRY
        assert answer.suggestions == (), "nobody is sent to the bank while something is wrong here"


def test_what_only_looks_broken_stands_under_its_root() -> None:
    """With one real fault there is one finding about the way, and all that it fakes is under it."""
    rng = random.Random(SEED + 1)
    for fault in [one for one in STOPPING if one.part != "flash"]:
        for _ in range(5):
            terminal = Terminal(rng, [fault], cellular=True)
            terminal.look()
            answer = explain(told(terminal, record(State.WAITING, tried=1)))
            assert [one.code for one in answer.findings] == [fault.code], sorted(terminal.seen)
            assert set(answer.findings[0].consequences) == set(terminal.seen) - {fault.code}
