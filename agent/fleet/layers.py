"""The readings of a terminal, folded from full reports, deltas and late history, in few bytes.

Each message that still contributes a field is a layer: its number, its time, its fields. A full
report replaces what is below it; a field shows the newest layer that has it, so the order of
arrival does not matter. History tells what was true at a time: it shows where no live reading is
younger. Kept marshalled and deflated with the first full report as dictionary: a hundred thousand
terminals fit into memory. Called by `terminal`.
"""

from __future__ import annotations

import marshal
import zlib
from collections.abc import Mapping
from typing import Literal

from agent.core.health.reading import Value

MAX_LAYERS = 24
MAX_FIELDS = 600
_WINDOW_BYTES = 32_768

Fields = dict[str, Value]
#: number, time, fields
Layer = tuple[int, int, Fields]


class Packing:
    """How layers are made small; one for all terminals of a reader."""

    __slots__ = ("_dictionary",)

    def __init__(self) -> None:
        self._dictionary = b""

    def pack(self, whole: object, *, teach: bool = False) -> bytes:
        """`whole` in few bytes; the first one that may teach becomes the dictionary."""
        plain = marshal.dumps(whole, 2)  # type: ignore[arg-type]
        if teach and not self._dictionary:
            self._dictionary = plain[-_WINDOW_BYTES:]
        if not self._dictionary:
            return b"\0" + plain
        squeeze = zlib.compressobj(1, zlib.DEFLATED, -15, zdict=self._dictionary)
        return b"\1" + squeeze.compress(plain) + squeeze.flush()

    def unpack(self, packed: bytes) -> object:
        """What was packed here."""
        # marshal may: these bytes have never left this process.
        if packed[:1] == b"\1":
            return marshal.loads(
                zlib.decompressobj(-15, zdict=self._dictionary).decompress(packed[1:])
            )
        return marshal.loads(packed[1:])


class Layers:
    """Unpacked: live layers by number, history by time, and the number of the last full report."""

    __slots__ = ("full_seq", "live", "past")

    def __init__(self, told: object = None) -> None:
        self.live: list[Layer] = []
        self.past: list[Layer] = []
        self.full_seq = -1
        if isinstance(told, tuple):
            self.full_seq, self.live, self.past = told

    def packed(self) -> tuple[int, list[Layer], list[Layer]]:
        """What `Layers` is made of again."""
        return self.full_seq, self.live, self.past

    def health(self, seq: int, ts: int, fields: Fields, *, full: bool) -> None:
        """A report, in whatever order."""
        if seq <= self.full_seq:
            return
        if full:
            self.full_seq = seq
            self.live = [layer for layer in self.live if layer[0] > seq]
            self.past = [layer for layer in self.past if layer[1] > ts]
        self.live = _laid(self.live, (seq, ts, fields), key=0)

    def history(self, ts: int, fields: Fields) -> None:
        """What was true at `ts`, told later."""
        full_ts = next((layer[1] for layer in self.live if layer[0] == self.full_seq), None)
        if full_ts is not None and ts <= full_ts:
            return
        self.past = _laid(self.past, (0, ts, fields), key=1)

    def view(self) -> Fields:
        """What is known now."""
        live: dict[str, tuple[int, Value]] = {}
        for _, ts, fields in self.live:
            for name, value in fields.items():
                live[name] = (ts, value)
        shown: Fields = {name: value for name, (_, value) in live.items()}
        for _, ts, fields in self.past:
            for name, value in fields.items():
                if name not in live or live[name][0] < ts:
                    shown[name] = value
        return shown


def _laid(layers: list[Layer], new: Layer, key: Literal[0, 1]) -> list[Layer]:
    """With the new one in its place; what it hides and what hides it taken away."""
    above = [layer for layer in layers if layer[key] > new[key]]
    below = [layer for layer in layers if layer[key] <= new[key]]
    hidden = {name for layer in above for name in layer[2]}
    own = {name: value for name, value in new[2].items() if name not in hidden}
    kept = [_without(layer, own) for layer in below]
    laid = [layer for layer in (*kept, (new[0], new[1], own), *above) if layer[2]]
    while len(laid) > MAX_LAYERS:
        first, second = laid[0], laid[1]
        laid[:2] = [(second[0], second[1], first[2] | second[2])]
    _bound(laid)
    return laid


def _without(layer: Layer, names: Mapping[str, Value]) -> Layer:
    if names.keys().isdisjoint(layer[2]):
        return layer
    return (layer[0], layer[1], {n: v for n, v in layer[2].items() if n not in names})


def _bound(layers: list[Layer]) -> None:
    """A terminal that invents names is not followed for ever: the oldest go first."""
    surplus = sum(len(layer[2]) for layer in layers) - MAX_FIELDS
    while surplus > 0:
        fields = layers[0][2]
        for name in list(fields)[:surplus]:
            del fields[name]
            surplus -= 1
        if not fields:
            del layers[0]
