"""How good the links are that hold: drops, latency, loss – mostly told by those who use them.

Sends nothing. Every connection somebody opens leaves a word behind (`Contact`); the kernel counts
lost carriers and bad frames; our own sockets know what they had to send twice. Decides when a link
is unstable (drops in the hour, connections or segments that get lost between others) and when it is
slow (its 95th percentile), each with hysteresis, and only for links that are used. That a link is
*gone*, or a host, is connectivity's to say: here only what comes and goes is counted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import field
from functools import partial
from pathlib import Path

from agent.blocking import Blocking
from agent.clock import Clock
from agent.config.radio import Signal
from agent.core.health.reading import NotFitted, Outcome, Reading, Value
from agent.link.contact import Contact
from agent.record import dataclass
from agent.watch.layers import loopback
from agent.watch.quality import interfaces, sockets
from agent.watch.quality.interfaces import DROPS, Surroundings
from agent.watch.quality.window import Counters, Latch, Sums, Tries

LOOK_S = 3.0
#: Fewer attempts say nothing of a share.
TRIES_LEAST = 10
#: Fewer measurements say nothing of a percentile.
TIMED_LEAST = 5
SEGMENTS_LEAST = 100
#: Fewer gaps are chance.
GAPS_LEAST = 3
#: Half of what raises it clears it: a share of few attempts jumps.
CLEARS_AT = 0.5
SLOW_CLEARS_AT = 0.8
#: Interfaces that were never used are not remembered; of the others no more than this.
LINKS_MAX = 16
#: Failures that say nothing of the link: ours, the host's no, a certificate.
_REFUSALS = ("refused", "reset the connection")


@dataclass(slots=True)
class _Link:
    """What is remembered of one interface."""

    tries: Tries
    counters: Counters = field(default_factory=Counters)
    dropping: Latch = field(default_factory=Latch)
    losing: Latch = field(default_factory=Latch)
    slow: Latch = field(default_factory=Latch)


@dataclass(slots=True)
class _Segments:
    """What our own connections sent, and sent again, within the window."""

    window_ms: int
    _last: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    _grown: deque[tuple[int, int, int]] = field(default_factory=lambda: deque(maxlen=400))

    def see(self, now_ms: int, counts: sockets.Counts) -> None:
        for name, (sent, again, received) in counts.items():
            old_sent, old_again, old_received = self._last.get(name, (0, 0, 0))
            # Where nothing comes back the way is broken: that is no share of anything.
            if received > old_received and sent > old_sent and again >= old_again:
                self._grown.append((now_ms, sent - old_sent, again - old_again))
        self._last = dict(counts)
        while self._grown and now_ms - self._grown[0][0] > self.window_ms:
            self._grown.popleft()

    @property
    def percent(self) -> float | None:
        """The share sent again; None while too little was sent."""
        sent = sum(one for _, one, _ in self._grown)
        again = sum(one for _, _, one in self._grown)
        return round(100 * again / sent, 1) if sent >= SEGMENTS_LEAST else None

    @property
    def spread_percent(self) -> float | None:
        """The same, none of it where it came in one or two bursts: an outage, not a bad line."""
        bursts = {when for when, _, again in self._grown if again}
        return self.percent if self.percent is None or len(bursts) >= GAPS_LEAST else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """One link, judged."""

    name: str
    sums: Sums
    drops: int | None
    errors: int | None
    unstable: bool | None
    slow: bool | None


class LinkWatcher:
    """The links of this terminal, by what became of traffic over them."""

    component = "link"

    def __init__(
        self,
        config: Signal,
        slow_ms: int,
        blocking: Blocking,
        clock: Clock,
        *,
        root: Path = Path("/"),
        segments: sockets.Look = sockets.own,
    ) -> None:
        self.period_s = config.period_s
        self.deadline_s = LOOK_S + 1.0
        self._config = config
        self._slow_ms = slow_ms
        self._blocking = blocking
        self._clock = clock
        self._root = root
        self._look_at_segments = segments
        self._segments = _Segments(config.window_s * 1000)
        self._links: dict[str, _Link] = {}
        self._default = ""  #: the interface with the default route, or the last that had it

    def heard(self, contact: Contact) -> None:
        """Somebody tried to reach somebody. Returns at once, never raises."""
        if contact.layer == "local" or loopback(contact.host):
            return
        link = self._link(contact.interface or self._default)
        lost = _lost(contact)
        now_ms = self._clock.now().boot_ms
        link.tries.add(now_ms, contact.host, lost=lost, took_ms=contact.connect_ms)

    async def read(self) -> Outcome:
        """The link that matters most now; of the others a line each."""
        around = await self._blocking.call(
            "link.look", partial(interfaces.look, self._root), LOOK_S
        )
        now_ms = self._clock.now().boot_ms
        self._take_in(around, now_ms)
        self._segments.see(now_ms, self._look_at_segments())
        said = [self._judge(name, link, now_ms) for name, link in self._used(now_ms)]
        if not said:
            return NotFitted()
        said.sort(key=lambda one: (not one.unstable, not one.slow, one.name != self._default))
        return Reading(self._values(said[0]), {one.name or "any": _line(one) for one in said})

    def _take_in(self, around: Surroundings, now_ms: int) -> None:
        if around.default:
            self._default = around.default
            self._link(around.default)
            if (early := self._links.pop("", None)) is not None:
                # Heard before anybody knew which interface it was.
                self._links[around.default].tries = early.tries
        present = {one.name: one for one in around.seen}
        for name, link in self._links.items():
            if name in present:
                link.counters.see(now_ms, present[name].counts)
            elif name:
                link.counters.absent(now_ms, DROPS)

    def _link(self, name: str) -> _Link:
        link = self._links.get(name)
        if link is None:
            if len(self._links) >= LINKS_MAX:
                self._links.pop(next(iter(self._links)))
            link = self._links[name] = _Link(tries=Tries(self._config.window_s * 1000))
        return link

    def _used(self, now_ms: int) -> Sequence[tuple[str, _Link]]:
        """The system's own way, and those somebody tried lately: what nobody uses may flicker."""
        return [
            (name, link)
            for name, link in self._links.items()
            if (name and name == self._default) or link.tries.sums(now_ms).count
        ]

    def _judge(self, name: str, link: _Link, now_ms: int) -> _Said:
        sums = link.tries.sums(now_ms)
        known = link.counters.known
        drops = link.counters.last_hour(DROPS) if DROPS in known else None
        errors = sum(link.counters.last_hour(one) for one in interfaces.TROUBLES)
        limit = self._config.drops_per_hour
        dropping = link.dropping.judge(drops, limit, max(1, limit - 1))
        loss = self._config.loss_percent
        losing = link.losing.judge(self._loss(name, sums), loss, loss * CLEARS_AT)
        p95 = sums.p95_ms if sums.timed >= TIMED_LEAST else None
        return _Said(
            name=name,
            sums=sums,
            drops=drops,
            errors=errors if known - {DROPS} else None,
            unstable=_either(dropping, losing),
            slow=link.slow.judge(p95, self._slow_ms, self._slow_ms * SLOW_CLEARS_AT),
        )

    def _loss(self, name: str, sums: Sums) -> float | None:
        """The worse share, of gaps among attempts or of segments sent again; None of too few.

        An outage is one gap, however many attempts it swallowed: that the way was broken is
        connectivity's to say, and that a host is away is no fault of the link.
        """
        shares: list[float | None] = []
        if sums.count >= TRIES_LEAST:
            shares.append(sums.gap_percent if sums.gaps >= GAPS_LEAST else 0.0)
        # Sockets do not say over which interface they go: that is the default one.
        shares += [self._segments.spread_percent] if name == self._default else []
        return max((one for one in shares if one is not None), default=None)

    def _values(self, one: _Said) -> dict[str, Value]:
        told: dict[str, Value] = {
            "interface": one.name,
            "unstable": one.unstable,
            "slow": one.slow,
            "drops_last_hour": one.drops,
            "errors_last_hour": one.errors,
            "loss_percent": one.sums.loss_percent if one.sums.count >= TRIES_LEAST else None,
            "retransmitted_percent": self._segments.percent,
            "latency_p50_ms": one.sums.p50_ms,
            "latency_p95_ms": one.sums.p95_ms,
            # What the texts call the round trip that is too long.
            "connect_ms": one.sums.p95_ms if one.slow else None,
            "slow_ms": self._slow_ms,
        }
        return {name: value for name, value in told.items() if value is not None}


def _lost(contact: Contact) -> bool:
    """Whether the way ate it, as far as can be told. A host that says no was reached."""
    if contact.layer in ("dns", "tcp"):
        return not any(word in contact.reason for word in _REFUSALS)
    return contact.layer == "tls" and contact.code == "network.host_unreachable"


def _either(one: bool | None, other: bool | None) -> bool | None:
    if one or other:
        return True
    return None if one is None and other is None else False


def _line(one: _Said) -> str:
    words = [
        "" if one.drops is None else f"{one.drops} drops",
        "" if one.errors is None else f"{one.errors} errors in the last hour",
        f"{one.sums.count} attempts, {one.sums.lost} lost" if one.sums.count else "",
        "" if one.sums.p50_ms is None else f"p50 {one.sums.p50_ms} ms, p95 {one.sums.p95_ms} ms",
    ]
    return ", ".join(filter(None, words)) or "nothing counted yet"
