"""Which channel is taken, as a machine: facts and contacts in, probes and switches out.

It leaves a channel at once when its link is gone, and after contacts have failed on it with
nothing getting through in between. It goes back only after the better one was well for a quiet
time that doubles with every relapse, so that a flapping main line costs a few switches and not one
each time. It never ends up with nothing: where all are out of order it stays and keeps asking.
It does not know interfaces, sockets or time of its own. Called by `agent.link.channels`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from enum import StrEnum

from agent.record import dataclass

#: A broken channel is probed less and less often: at most every 2 to the power of this times.
RARER_MAX = 4
#: How often a broken channel nobody needs is looked at in the time of one look at a working one.
RECHECKS = 12


class Link(StrEnum):
    """What the system's tables say of a channel."""

    READY = "ready"  #: carrier, address and a default route of its own
    DOWN = "down"
    UNKNOWN = "unknown"  #: cannot be seen: it may work


class State(StrEnum):
    """A channel as a person is told."""

    OK = "ok"  #: something got through lately
    UNTRIED = "untried"  #: nothing speaks against it, nothing proves it
    DOUBTED = "doubted"  #: something failed; being looked at
    BROKEN = "broken"  #: proven: its link stands and nothing gets through
    DOWN = "down"
    REFUSED = "refused"  #: whoever switches for us would not


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The numbers."""

    failures: int = 2  #: contacts failed in a row that prove a break
    grace_s: float = 3.0  #: a backup may take so long to prove itself; then it is tried unproven
    quiet_s: float = 60.0  #: the better one is well for so long before it is taken again
    quiet_max_s: float = 1_800.0
    calm_s: float = 3_600.0  #: a break so long after the return is no relapse
    spread: float = 0.2  #: share of the quiet time that is drawn
    probe_s: float = 15.0  #: between two probes of a better or broken channel
    recheck_s: float = 1.0  #: between two probes of a doubted one
    spare_s: float = 21_600.0  #: between two probes of one nobody needs now; 0: never


@dataclass(frozen=True, slots=True)
class Probe:
    """Find out whether anything gets through there; `held` or `failed` follows."""

    name: str


@dataclass(frozen=True, slots=True)
class Switch:
    """From now on `to` is used. `cut`: what is open on `left` is of no use any more."""

    left: str
    to: str
    why: str
    cut: bool


Action = Probe | Switch


@dataclass(slots=True)
class Standing:
    """What is known of one channel."""

    name: str
    since_ms: int
    blind: bool = False  #: cannot be probed while another is used: time has to heal it
    link: Link = Link.UNKNOWN
    reason: str = ""
    failures: int = 0
    doubted: bool = False
    broken_ms: int | None = None
    refused_until_ms: int | None = None
    well_ms: int | None = None  #: since when without a failure
    held_ms: int | None = None
    probed_ms: int | None = None
    returned_ms: int | None = None
    relapses: int = 0
    quiet_ms: int = 0

    @property
    def state(self) -> State:
        """In one word."""
        if self.link is Link.DOWN:
            return State.DOWN
        if self.refused_until_ms is not None:
            return State.REFUSED
        if self.broken_ms is not None:
            return State.BROKEN
        if self.doubted:
            return State.DOUBTED
        return State.UNTRIED if self.held_ms is None else State.OK

    @property
    def fit(self) -> bool:
        """Whether it may work."""
        return self.state in (State.OK, State.UNTRIED, State.DOUBTED)


class Choosing:
    """The machine. `names` in order of preference; the first is the main channel."""

    def __init__(
        self, names: Sequence[str], terms: Terms, now_ms: int, blind: Collection[str] = ()
    ) -> None:
        self.terms = terms
        self.standings = {name: Standing(name, now_ms, blind=name in blind) for name in names}
        self.in_use = names[0]
        self.switches = 0
        self._order = tuple(names)

    @property
    def main(self) -> str:
        """The one preferred to all."""
        return self._order[0]

    def wake_ms(self, now_ms: int) -> int | None:
        """When `tick` has something to do unless something is heard before; None: never."""
        terms, used = self.terms, self.standings[self.in_use]
        due = [
            one.probed_ms + _ms(every_s)
            for one, every_s in self._rhythm()
            if every_s and one.probed_ms is not None
        ]
        for one in self._standings:
            due.append(one.refused_until_ms or 0)
            if one.well_ms is not None and used.name != self.main:
                due.append(one.well_ms + (one.quiet_ms or _ms(terms.quiet_s)))
            if one.broken_ms is not None:
                due.append(one.broken_ms + _ms(terms.quiet_s if one.blind else terms.grace_s))
        return min((at_ms for at_ms in due if at_ms > now_ms), default=None)

    # What happens

    def linked(self, name: str, link: Link, reason: str, now_ms: int) -> None:
        """What the tables say of a channel now."""
        one = self.standings[name]
        if link is one.link:
            if one.state in (State.OK, State.UNTRIED, State.DOWN):
                one.reason = reason  # otherwise there is a worse one to tell
            return
        one.link, one.reason, one.since_ms = link, reason, now_ms
        # Another network may be behind it now: what was found out counts no more.
        one.failures, one.doubted = 0, False
        one.broken_ms = one.held_ms = one.probed_ms = one.well_ms = None
        if link is not Link.DOWN and one.blind:
            one.well_ms = now_ms

    def held(self, name: str, now_ms: int) -> None:
        """Something got through there."""
        one = self.standings[name]
        if one.link is Link.DOWN:
            return  # its last word
        if one.state is not State.OK:
            one.since_ms, one.reason = now_ms, ""
        one.failures, one.doubted, one.broken_ms = 0, False, None
        one.held_ms = now_ms
        one.well_ms = now_ms if one.well_ms is None else one.well_ms

    def failed(self, name: str, why: str, now_ms: int) -> None:
        """Something did not get through there, and the other end has no part in it."""
        one = self.standings[name]
        if one.link is Link.DOWN:
            return
        one.failures += 1
        one.well_ms = None
        if one.broken_ms is not None:
            return
        one.doubted, one.reason = True, why
        if one.failures >= self.terms.failures:
            one.broken_ms = one.since_ms = now_ms

    def doubt(self, name: str) -> None:
        """Something takes long there."""
        one = self.standings[name]
        one.doubted = one.doubted or one.state in (State.OK, State.UNTRIED)

    def refused(self, name: str, why: str, now_ms: int) -> None:
        """Whoever switches for us would not take it: not asked again before a quiet time."""
        one = self.standings[name]
        one.refused_until_ms = now_ms + _ms(self.terms.quiet_s)
        one.reason, one.since_ms = why, now_ms

    # What follows

    def begin(self) -> str:
        """The first choice, once the links are known."""
        self.in_use = next((one.name for one in self._standings if one.fit), self.main)
        return self.in_use

    def tick(self, now_ms: int) -> list[Action]:
        """What is to be done now. A switch is done when `switched` says so."""
        self._forget(now_ms)
        probes = [Probe(name) for name in self._due(now_ms)]
        switch = self._chosen(now_ms)
        return [*probes] if switch is None else [switch, *probes]

    def switched(self, switch: Switch, now_ms: int, drawn: float) -> None:
        """It was done. `drawn`: uniform in [0, 1)."""
        self.in_use = switch.to
        self.switches += 1
        taken, left = self.standings[switch.to], self.standings[switch.left]
        if not left.fit:
            self._note_break(left, now_ms, drawn)
        else:
            taken.returned_ms = now_ms

    def _note_break(self, one: Standing, now_ms: int, drawn: float) -> None:
        terms = self.terms
        again = one.returned_ms is not None and now_ms - one.returned_ms < _ms(terms.calm_s)
        one.relapses = min(one.relapses + 1, 30) if again else 0
        quiet_s = min(terms.quiet_s * 2.0**one.relapses, terms.quiet_max_s)
        one.quiet_ms = _ms(quiet_s * (1.0 + terms.spread * drawn))

    def _forget(self, now_ms: int) -> None:
        for one in self._standings:
            if one.refused_until_ms is not None and now_ms >= one.refused_until_ms:
                one.refused_until_ms = None
            # Nothing would ever tell that it is well again.
            if not one.blind or one.broken_ms is None:
                continue
            if now_ms - one.broken_ms >= _ms(self.terms.quiet_s):
                one.broken_ms = one.held_ms = None
                one.failures, one.doubted, one.well_ms = 0, False, now_ms

    def _chosen(self, now_ms: int) -> Switch | None:
        used = self.standings[self.in_use]
        if used.fit:
            return self._back(used, now_ms)
        others = [one for one in self._standings if one.fit and one.name != self.in_use]
        sound = [one for one in others if not one.doubted]
        if used.broken_ms is not None:
            # What fails there too is the host's doing: a switch would help nobody.
            window_ms = used.broken_ms - _ms(self.terms.grace_s + self.terms.recheck_s)
            proven = [one for one in sound if _since(one.held_ms, window_ms)]
            late = now_ms - used.broken_ms >= _ms(self.terms.grace_s)
            chosen = proven or (sound if late else [])
        else:
            chosen = sound or others
        return Switch(used.name, chosen[0].name, used.reason, cut=True) if chosen else None

    def _back(self, used: Standing, now_ms: int) -> Switch | None:
        terms = self.terms
        better = [self.standings[name] for name in self._order[: self._order.index(used.name)]]
        for one in better:
            if not one.fit or one.doubted or one.well_ms is None:
                continue
            fresh = one.blind or _since(one.held_ms, now_ms - _ms(2 * terms.probe_s))
            quiet_ms = one.quiet_ms or _ms(terms.quiet_s)
            if fresh and now_ms - one.well_ms >= quiet_ms:
                return Switch(used.name, one.name, f"{one.name} is well again", cut=False)
        return None

    def _due(self, now_ms: int) -> Iterable[str]:
        """Who is to be probed now."""
        for one, every_s in self._rhythm():
            if every_s and (one.probed_ms is None or now_ms - one.probed_ms >= _ms(every_s)):
                one.probed_ms = now_ms
                yield one.name

    def _rhythm(self) -> Iterator[tuple[Standing, float]]:
        """Each channel and the seconds between two probes of it; 0: none."""
        # A doubt alone may be a slow host: the others are asked once something failed.
        trouble = self.standings[self.in_use].failures > 0
        wanted = True  # those better than the one in use, and that one
        for one in self._standings:
            yield one, self._every_s(one, trouble=trouble, wanted=wanted)
            wanted = wanted and one.name != self.in_use

    def _every_s(self, one: Standing, *, trouble: bool, wanted: bool) -> float:
        terms = self.terms
        if one.blind:
            return 0.0
        match one.state:
            case State.DOWN | State.REFUSED:
                return 0.0
            case State.DOUBTED:
                return terms.recheck_s
            case State.BROKEN:
                # A host that is dead all day must not cost a probe on every channel all day.
                longer = 2.0 ** min(one.failures - terms.failures, RARER_MAX)
                if wanted or trouble:
                    return terms.probe_s * longer
                return max(terms.probe_s * longer, terms.spare_s / RECHECKS)
        if one.name == self.in_use:
            return 0.0  # its traffic tells
        if trouble:
            return terms.recheck_s
        return terms.probe_s if wanted else terms.spare_s

    @property
    def _standings(self) -> list[Standing]:
        return [self.standings[name] for name in self._order]


def _since(at_ms: int | None, from_ms: int) -> bool:
    return at_ms is not None and at_ms >= from_ms


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
