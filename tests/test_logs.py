"""No card number leaves the terminal by its log, whichever way a line gets there."""

from __future__ import annotations

import atexit
import io
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from agent import logs
from agent.logs import KEPT_BACK, LONGEST_LINE, MaskedStream

PAN = "4111111111111111"


@contextmanager
def standard_error() -> Iterator[io.StringIO]:
    """Standard error while a test runs; the log is put back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    names = {number: logging.getLevelName(number) for number in (10, 20, 30, 40, 50)}
    streams, said = sys.stderr, io.StringIO()
    sys.stderr = said
    try:
        yield said
    finally:
        sys.stderr = streams
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.raiseExceptions = True
        for number, name in names.items():
            logging.addLevelName(number, name)


@pytest.fixture(autouse=True)
def nothing_at_exit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atexit, "register", lambda _call: None)
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)


def test_records_are_masked() -> None:
    """In the message, in its arguments and in a traceback."""
    with standard_error() as below:
        logs.configure("info")
        log = logging.getLogger("agent.test")
        log.info("event=odd text=%s", PAN)
        try:
            raise ValueError(f"bad {PAN}")
        except ValueError:
            log.exception("event=failed")
        said = below.getvalue()
        assert PAN not in said
        assert said.count("411111******1111") == 2
        assert "ValueError" in said


def test_under_systemd_lines_carry_priorities(monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal adds the times itself."""
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    with standard_error() as below:
        logs.configure("info")
        logging.getLogger("agent.test").warning("event=odd")
    assert below.getvalue() == "<4>agent.test event=odd\n"


def test_the_stream_itself_masks_what_no_formatter_sees() -> None:
    """A library's print, a thread's traceback, a number that comes in two writes."""
    with standard_error() as below:
        logs.configure("info")
        logs.configure("info")  # twice: still one net, not two
        print("library says", PAN, file=sys.stderr)
        sys.stderr.write("41111111")
        sys.stderr.flush()
        assert "41111111" not in below.getvalue().splitlines()[-1]
        sys.stderr.write("11111111 end\nnext")
        sys.stderr.close()

        def fails() -> None:
            raise RuntimeError(PAN)

        thread = threading.Thread(target=fails)
        hook, threading.excepthook = threading.excepthook, threading.__excepthook__
        try:
            thread.start()
            thread.join()
        finally:
            threading.excepthook = hook
        said = below.getvalue()
        assert PAN not in said
        assert "library says 411111******1111\n" in said
        assert "411111******1111 end\nnext" in said
        assert "RuntimeError: 411111******1111" in said


def test_encoded_numbers_are_taken_out_whole() -> None:
    """Base64, hexadecimal and percent are as clear as digits."""
    with standard_error() as below:
        import base64

        logs.configure("info")
        coded = [
            base64.b64encode(PAN.encode()).decode(),
            PAN.encode().hex(),
            "".join(f"%{byte:02X}" for byte in PAN.encode()),
        ]
        logging.getLogger("agent.test").info("event=odd %s %s %s", *coded)
        assert below.getvalue().endswith("event=odd [card] [card] [card]\n")


def test_a_line_without_end_does_not_pile_up() -> None:
    """It goes out in pieces, and no number is cut in two by that."""
    with standard_error() as below:
        stream = MaskedStream(below)
        stream.write("x" * (LONGEST_LINE - 8) + PAN)
        assert len(below.getvalue()) == LONGEST_LINE + 8 - KEPT_BACK
        stream.write("y" * KEPT_BACK + "\n")
        assert PAN not in below.getvalue()
        assert "411111******1111" in below.getvalue()


def test_the_stream_looks_like_the_one_below(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Who asks for its descriptor, its encoding or whether it is a terminal gets a true answer."""
    path = tmp_path_factory.mktemp("logs") / "err"
    with path.open("w", encoding="utf-8") as file:
        stream = MaskedStream(file)
        assert stream.fileno() == file.fileno()
        assert (stream.isatty(), stream.encoding, stream.errors) == (False, "utf-8", "strict")
