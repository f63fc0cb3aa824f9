"""100,000 random lives of a terminal under a hostile broker: no command is done twice.

The broker reorders, repeats, retains, replays, delays and forges; the terminal crashes between any
two steps, loses one of its two memories or both, and its clock lies. Everything is judged by the
real judge; the model around it only keeps what the store would keep.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from agent.core.fleet.commands import (
    OPS,
    Command,
    Here,
    Judgement,
    Kept,
    Key,
    Reason,
    Role,
    Verdict,
    addressed,
    judged,
    sifted,
)

HISTORIES, CHUNKS = 100_000, 4
START, YEAR_MS = 1_795_000_000_000, 365 * 86_400_000
KEYS = {
    name: Key(key_id=name, public=name.encode() * 32, roles=frozenset({Role.OPERATE}))
    for name in ("a", "b")
}
OFFERED = tuple(OPS)
Judge = Callable[..., Judgement]


class Signed:
    """A command on the wire, and what is true of it."""

    __slots__ = ("command", "digest", "forged", "key")

    def __init__(self, command: Command, key: str, digest: bytes, *, forged: bool) -> None:
        self.command, self.key, self.digest, self.forged = command, key, digest, forged


class Terminal:
    """What is on its two disks, and what it did."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self.ledger: dict[str, bytes] = {}
        self.in_journal: dict[str, int] = {}
        self.in_counters: dict[str, int] = {}
        self.since: int | None = START
        self.floor = START
        self.trusted = True
        self.now = START
        self.done: Counter[tuple[int, bytes]] = Counter()
        self.wrong: list[str] = []
        self.lives = 0  #: how often both memories were lost together

    def hears(self, one: Signed, cmd_id: str, *, retained: bool, cut: int) -> None:
        """`cut`: after how many steps the power goes; 9: it does not."""
        if sifted(300, retained=retained) is not None:
            return
        command = one.command
        wall = self.now if self.trusted else self.now + YEAR_MS
        here = Here(
            tenant="t", device_id="d", now_ms=wall, floor_ms=self.floor, offered=OFFERED,
            clock_trusted=self.trusted, counted_since_ms=self.since, idle=True,
        )  # fmt: skip
        if addressed(command, cmd_id, here) is not None or one.forged:
            return
        known = self.ledger.get(command.cmd_id)
        last = max(self.in_journal.get(one.key, 0), self.in_counters.get(one.key, 0))
        found = self.judge(
            command, one.digest, KEYS[one.key], here,
            kept=None if known is None else Kept(digest=known), last_seq=last,
        )  # fmt: skip
        if found.verdict is Verdict.REPEAT or found.reason in (
            Reason.ID_REUSED,
            Reason.SEQUENCE_USED,
        ):
            return
        if cut == 0:
            return
        self.ledger[command.cmd_id] = one.digest
        self.in_journal[one.key] = max(last, command.seq)
        if cut == 1:
            return
        self.in_counters[one.key] = max(last, command.seq)
        if cut == 2 or found.verdict is not Verdict.OBEY:
            return
        self._does(one)

    def _does(self, one: Signed) -> None:
        command = one.command
        reads = OPS[command.op].reads
        self.done[self.lives if reads else 0, one.digest] += 1
        if command.tenant != "t" or command.device_id != "d" or one.forged:
            self.wrong.append("foreign")
        if self.now > command.expires_ts and (self.trusted or not reads):
            self.wrong.append("expired")
        if self.trusted:
            self.floor = max(self.floor, self.now)

    def loses(self, *, journal: bool, counters: bool) -> None:
        """A file is gone at the next start; what the other one knows is put back into it."""
        if journal:
            self.ledger.clear()
            self.in_journal.clear()
        if counters:
            self.in_counters.clear()
            self.since = self.now if self.trusted else None
        self.lives += journal and counters
        both = Counter(self.in_journal) | Counter(self.in_counters)
        self.in_journal, self.in_counters = dict(both), dict(both)


def life(rng: random.Random, judge: Judge) -> list[str]:
    """One random history; what was wrong with it."""
    terminal = Terminal(judge)
    sent: list[Signed] = []
    seqs = {"a": 0, "b": 0}
    for step in range(rng.randrange(3, 9)):
        if not sent or rng.random() < 0.5:
            sent.append(_new(rng, seqs, terminal.now, step))
        one = sent[rng.randrange(len(sent))]
        what = rng.random()
        if what < 0.08:
            terminal.now += rng.choice((60_000, 700_000))
        elif what < 0.14:
            terminal.loses(journal=rng.random() < 0.6, counters=rng.random() < 0.6)
        elif what < 0.18:
            terminal.trusted = not terminal.trusted
            if terminal.trusted and terminal.since is None:
                terminal.since = terminal.now
        cmd_id = one.command.cmd_id if rng.random() < 0.95 else "other"
        cut = rng.randrange(3) if rng.random() < 0.15 else 9
        terminal.hears(one, cmd_id, retained=rng.random() < 0.05, cut=cut)
    twice = [f"{count} times" for count in terminal.done.values() if count > 1]
    return terminal.wrong + twice


def _new(rng: random.Random, seqs: dict[str, int], now: int, step: int) -> Signed:
    key = "a" if rng.random() < 0.7 else "b"
    seqs[key] += rng.choice((0, 1, 1, 1, 5))
    kind = rng.random()
    command = Command(
        cmd_id=f"c{step if rng.random() < 0.9 else 0}",
        tenant="t" if kind > 0.05 else "u",
        device_id="d" if kind < 0.95 else "e",
        op="forward_now" if rng.random() < 0.7 else "report",
        args={},
        issued_ts=now,
        expires_ts=now + rng.choice((1_000, 600_000)),
        seq=max(1, seqs[key]),
    )
    return Signed(command, key, b"%d%s" % (step, key.encode()), forged=rng.random() < 0.1)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_no_history_does_a_command_twice_or_a_wrong_one_at_all(chunk: int) -> None:
    """Accepted at most once; none expired, forged or foreign."""
    rng = random.Random(chunk)
    bad = [found for _ in range(HISTORIES // CHUNKS) if (found := life(rng, judged))]
    assert bad == []


def test_without_sequences_the_same_histories_fail() -> None:
    """The positive control: a judge that forgets sequences, and one that knows no expiry."""

    def forgetful(command: Command, digest: bytes, key: Key, here: Here, *, kept: Kept | None,
                  last_seq: int) -> Judgement:  # fmt: skip
        del last_seq
        return judged(command, digest, key, here, kept=kept, last_seq=0)

    def patient(command: Command, digest: bytes, key: Key, here: Here, *, kept: Kept | None,
                last_seq: int) -> Judgement:  # fmt: skip
        late = replace(here, now_ms=command.issued_ts, floor_ms=command.issued_ts)
        return judged(command, digest, key, late, kept=kept, last_seq=last_seq)

    rng = random.Random(7)
    forgot = [found for _ in range(3_000) if (found := life(rng, forgetful))]
    waited = [found for _ in range(3_000) if (found := life(rng, patient))]
    assert any("2 times" in one for one in forgot)
    assert any("expired" in one for one in waited)
