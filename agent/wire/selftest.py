"""The files the power-cut self-test leaves: what `start` notes, and the result that stays.

Decodes what may be anybody's bytes and refuses what this program did not write. Written by
`agent.cli.selftest`; the result is told in the support bundle, too.
"""

from __future__ import annotations

import msgspec

from agent.core import power_cut as core

#: In the state directory, or in the one that was tested.
RESULT = "power-cut-selftest.json"
#: Larger ones nobody wrote.
MAX_FILE_BYTES = 256 * 1024
RUN_LENGTH = 8


class Begun(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `start` leaves for `check`."""

    run: str
    first: int
    boot_id: str
    ended: bool = False
    checked: bool = False


class Round(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One power cut."""

    at: str
    seen: int
    file: int
    journal: int
    lost: int
    outcome: core.Outcome


class Result(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of them since the last `finish`; small, and kept."""

    finished: bool = False
    reached: int = 0  #: the highest number of earlier rounds
    verdict: core.Verdict = core.Verdict.UNDECIDED
    rounds: list[Round] = []

    @property
    def bad(self) -> int:
        """Cuts that lost or damaged something."""
        return sum(each.outcome is not core.Outcome.KEPT for each in self.rounds)

    @property
    def last_number(self) -> int:
        """The highest number anybody saw or found."""
        every = (max(each.seen, each.file, each.journal) for each in self.rounds)
        return max(self.reached, *every, 0)


def begun(raw: bytes) -> Begun:
    """Raises ValueError for anything else."""
    found = msgspec.json.decode(raw, type=Begun)
    well = len(found.run) == RUN_LENGTH and found.run.isalnum() and found.run.isascii()
    if not well or not 1 <= found.first <= core.MAX_NUMBER:
        raise ValueError("no note of a counter")
    return found


def result(raw: bytes) -> Result:
    """Raises ValueError for anything else. The verdict is what the rounds say, not the file."""
    found = msgspec.json.decode(raw, type=Result)
    told = [number for each in found.rounds for number in (each.seen, each.file, each.journal)]
    if not all(0 <= number < core.MAX_NUMBER for number in (found.reached, *told)):
        raise ValueError("numbers no counter reaches")
    verdict = core.verdict([each.outcome for each in found.rounds])
    return msgspec.structs.replace(found, verdict=verdict)
