"""A slip as a list of blocks, laid out for whoever shows it: text, image, receipt printer.

Whoever has something to say on paper (a pre-settlement slip, a drill's report, a verdict) builds a
`Slip` from these blocks in one language; how wide the paper is and how a printer is told belongs to
the renderers. Every text may be Chinese, English or mixed.
"""

from __future__ import annotations

from agent.record import dataclass


@dataclass(frozen=True, slots=True)
class Heading:
    """Centred and emphasised: once or twice on a slip."""

    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph, broken where it must be. `indent` columns in; `first` stands before it."""

    text: str
    indent: int = 0
    first: str = ""
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Pair:
    """One text at each edge; on two lines where they do not fit one."""

    left: str
    right: str
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A line across the paper."""


@dataclass(frozen=True, slots=True)
class Gap:
    """An empty line."""


@dataclass(frozen=True, slots=True)
class Qr:
    """A QR code, centred; `caption` says beneath it what it is for."""

    data: bytes
    caption: str = ""


Block = Heading | Text | Pair | Rule | Gap | Qr


@dataclass(frozen=True, slots=True)
class Slip:
    """A whole slip. `name` is the kind of slip (`presettlement`, `voucher` …), for file names."""

    name: str
    blocks: tuple[Block, ...]
