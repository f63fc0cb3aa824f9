"""How hard the parsers are tried: a fixed, repeatable share in every run, far more in `make fuzz`.

`POSAGENT_FUZZ` is how many times as many examples are drawn; with it they are new ones each time.
"""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

TIMES = int(os.environ.get("POSAGENT_FUZZ", "0"))

#: A published test number, passing every check of form: what must never be quoted.
CARD = "6222021234567890128"
SECRET = "s3cr3t-Kanarienvogel"
CANARIES = (CARD, SECRET)


def effort(examples: int) -> Any:
    """Hypothesis settings for one test; the test's own limit of time is that of all tests."""
    return settings(
        max_examples=examples * max(TIMES, 1),
        derandomize=not TIMES,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def silent(said: str) -> None:
    """Fails where a message quotes a canary, whole or in its telling part."""
    for canary in CANARIES:
        assert canary not in said
        assert canary[6:-4] not in said


@st.composite
def mutated(draw: st.DrawFn, seeds: st.SearchStrategy[bytes], pieces: list[bytes]) -> bytes:
    """A good example with some of its bytes changed, cut or doubled, or a telling piece put in."""
    data = bytearray(draw(seeds))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        upto = min(len(data), at + draw(st.integers(0, 8)))
        match draw(st.integers(0, 3)):
            case 0:
                data[at:upto] = draw(st.sampled_from(pieces))
            case 1:
                data[at:upto] = draw(st.binary(max_size=6))
            case 2:
                del data[at:upto]
            case _:
                data[at:at] = data[at:upto]
    return bytes(data)


@st.composite
def cut(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """The same bytes as they may arrive: in up to five pieces."""
    ends = sorted(draw(st.lists(st.integers(0, len(data)), max_size=4)))
    pieces = [data[a:b] for a, b in zip([0, *ends], [*ends, len(data)], strict=True)]
    return [piece for piece in pieces if piece]
