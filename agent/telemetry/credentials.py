"""The terminal's certificate and key, and a new pair on trial.

A renewed pair is laid beside the one in force, as `<file>.new`. It is shown to the broker first;
the old one is kept until a CONNACK has answered the new, and only then replaced. A pair the broker
refuses is not tried again until its files change. Reads and renames files and nothing else;
`conversation` tells what became of a connection.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from agent.durable import sync_directory
from agent.telemetry.attempt import Trust

log = logging.getLogger(__name__)

NEW = ".new"
#: (CA, certificate, key) files -> context.
Make = Callable[[str, str, str], ssl.SSLContext]


class Credentials:
    """Which pair to show. One for the life of the part."""

    def __init__(self, make: Make, ca_file: str, cert_file: str, key_file: str) -> None:
        self._make = make
        self._ca_file = ca_file
        self._cert_file = cert_file
        self._key_file = key_file
        self._old = Trust(self._force)
        self._new: Trust | None = None
        self._mark: tuple[int, ...] = ()  # of the pair on trial
        self._refused: tuple[int, ...] = ()  # of the pair the broker would not have
        self._rest = False  # the trial told nothing: the old pair has the next turn

    @property
    def state(self) -> str:
        """`""`: no new pair; `trial`: to be shown; `refused`: the broker would not have it."""
        mark = self._look()
        return "" if not mark else "refused" if mark == self._refused else "trial"

    @property
    def resumed(self) -> bool:
        """Whether the last connection resumed a TLS session."""
        return (self._new or self._old).reused

    def choose(self) -> Trust:
        """The pair for the next connection."""
        mark = self._look()
        if not mark or mark == self._refused or self._rest:
            self._rest = False
            self._new = None
            return self._old
        if self._new is None or mark != self._mark:
            self._mark = mark
            self._new = Trust(self._trial)
        return self._new

    def accepted(self, trust: Trust) -> bool:
        """A CONNACK said yes to this pair. Whether the new one is in force from now on."""
        if trust is not self._new:
            return False
        if self._look() != self._mark:
            # Another pair is being laid down: what lies there now was never shown to anybody.
            log.info("event=certificate_changed_on_trial file=%s", self._cert_file + NEW)
            return False
        try:
            self._swap()
        except OSError as error:
            # It works all the same; the trial is repeated on the next connection.
            log.warning("event=certificate_not_kept reason=%r", str(error))
            return False
        self._old, self._new = trust, None
        self._mark = self._refused = ()
        log.info("event=certificate_renewed file=%s", self._cert_file)
        return True

    def ended(self, trust: Trust, *, refused: bool, word: str) -> bool:
        """No CONNACK. Whether a new pair was on trial, so that the old one is still to be tried."""
        if trust is not self._new:
            return False
        self._rest = True
        if refused:
            self._refused = self._mark
            log.warning("event=certificate_refused file=%s error=%s", self._cert_file + NEW, word)
        return True

    # Files

    def _look(self) -> tuple[int, ...]:
        """What tells one new pair from another; empty: there is none."""
        if not self._cert_file:
            return ()
        found: list[int] = []
        for file in (self._cert_file, self._key_file):
            if not file:
                continue
            with suppress(OSError):
                seen = Path(file + NEW).stat()
                found += [seen.st_ino, seen.st_mtime_ns, seen.st_size]
        # A key without its certificate is not issued yet; both files are put down one by one.
        return tuple(found) if Path(self._cert_file + NEW).exists() else ()

    def _force(self) -> ssl.SSLContext:
        return self._make(self._ca_file, self._cert_file, self._key_file)

    def _trial(self) -> ssl.SSLContext:
        """The new pair; a renewed certificate may keep its key."""
        key_file = self._key_file
        if key_file and Path(key_file + NEW).exists():
            key_file += NEW
        return self._make(self._ca_file, self._cert_file + NEW, key_file)

    def _swap(self) -> None:
        """The key first: cut off in between, the new certificate is still tried, with its key."""
        for file in (self._key_file, self._cert_file):
            if file and Path(file + NEW).exists():
                Path(file + NEW).replace(file)
        sync_directory(Path(self._cert_file).parent)


def one_of(make: Callable[[], ssl.SSLContext]) -> Credentials:
    """A pair that is never renewed."""
    return Credentials(lambda _ca, _cert, _key: make(), "", "", "")
