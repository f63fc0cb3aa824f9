"""What every simulated printer's brain has: one command after the other, and what got on paper.

Cuts a byte stream into commands and keeps those that print, or change how something prints, as
the *receipt*: what a second client must not have altered by a single byte. Enquiries are left out
of it. Which command is which, and what is answered, is for the brain of each dialect to say.
"""

from __future__ import annotations

import codecs
from collections.abc import Generator

from agent.sim.printers.conditions import Conditions

#: What the printer holds back while it is off-line; more is lost.
BUFFER_BYTES = 65_536
#: Receipts kept, the newest.
KEPT = 1_048_576

#: One command being read: takes a byte at a time; True at its end if it belongs on the receipt.
Command = Generator[None, int, bool]


class Paper:
    """What came out of the printer, from whichever line it was sent."""

    def __init__(self) -> None:
        self.receipt = bytearray()  #: the commands that were printed, byte for byte
        self.cuts = 0
        self._text: list[str] = []

    def take(self, command: bytes) -> None:
        self.receipt += command
        del self.receipt[:-KEPT]

    def write(self, text: str) -> None:
        self._text.append(text)

    def cut(self) -> None:
        self.cuts += 1
        self.write("\n--- cut ---\n")

    def take_text(self) -> str:
        """The text printed since the last call."""
        text = "".join(self._text)
        self._text.clear()
        return text


class Brain:
    """Bytes in, replies out, commands on paper. Does no input or output and knows no time."""

    def __init__(self, paper: Paper | None = None, conditions: Conditions | None = None) -> None:
        self.paper = paper or Paper()
        self.conditions = conditions or Conditions()
        self._replies: list[bytes] = []
        self._held = bytearray()  # received while off-line, printed later
        self._tail = b"\0\0\0"
        self._raw = bytearray()  # the command being read
        self._characters = codecs.getincrementaldecoder("gb18030")(errors="replace")
        self._commands = self._read_commands()
        next(self._commands)

    def feed(self, received: bytes) -> list[bytes]:
        """Take bytes from the line; the answers, in the order they are sent."""
        for byte in received:
            # Real-time commands are found on receipt, wherever they stand: off-line, in a full
            # buffer, and by accident in raster data, which is printed all the same.
            self._at_once(self._tail, byte)
            self._tail = self._tail[1:] + bytes((byte,))
            if not self.conditions.off_line:
                self._obey(byte)
            elif len(self._held) < BUFFER_BYTES:
                self._held.append(byte)
        return self._take_replies()

    def change(self, conditions: Conditions) -> list[bytes]:
        """Switch conditions; the automatic status this causes, if it is armed."""
        before, self.conditions = self.conditions, conditions
        self._changed(before)
        if not conditions.off_line:
            held, self._held = self._held, bytearray()
            for byte in held:
                self._obey(byte)
        return self._take_replies()

    def _at_once(self, tail: bytes, byte: int) -> None:
        """A byte has just arrived after `tail`: answer what is answered on receipt."""

    def _changed(self, before: Conditions) -> None:
        """Conditions were switched: reply if that is told without asking."""

    def _command(self, first: int) -> Command:
        """Read the command that begins with `first`."""
        raise NotImplementedError

    def _obey(self, byte: int) -> None:
        self._raw.append(byte)
        self._commands.send(byte)

    def _read_commands(self) -> Generator[None, int, None]:
        while True:
            first = yield
            if (yield from self._command(first)):
                self.paper.take(bytes(self._raw))
            self._raw.clear()

    def _print(self, byte: int) -> None:
        self.paper.write(self._characters.decode(bytes((byte,))))

    def _take_replies(self) -> list[bytes]:
        replies, self._replies = self._replies, []
        return replies


def skip(count: int) -> Generator[None, int, None]:
    """Take `count` bytes."""
    for _ in range(count):
        yield


def skip_text() -> Generator[None, int, None]:
    """Take everything up to a NUL."""
    while (yield):
        pass


def number(size: int) -> Generator[None, int, int]:
    """Take a little-endian number of `size` bytes."""
    value = 0
    for index in range(size):
        value |= (yield) << 8 * index
    return value


def skip_block() -> Generator[None, int, None]:
    """Take `fn pL pH` and as much as they announce."""
    yield
    yield from skip((yield from number(2)))
