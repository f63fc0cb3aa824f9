"""Which manifest is in force on this terminal, and what became of the last one offered.

Takes bytes, from the configured file now and from the fleet later (`offer`), checks whose they are
and whether they may come into force, and keeps those that did, so that a bad file, a lost one or a
restart changes nothing: the last good one stays. What a manifest asks is not its business. Called
by `agent.watch.software.watcher` and by `posagent software check`; blocking.
"""

from __future__ import annotations

import base64
import logging
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from agent.config.software import Software
from agent.core.moment import Moment
from agent.core.software.manifest import (
    MAX_BYTES,
    Refusal,
    Standing,
    Terminal,
    refusal,
    sentence,
    validity,
)
from agent.durable import replaced
from agent.record import dataclass
from agent.watch.head import head_of
from agent.watch.software.files import Files

if TYPE_CHECKING:
    from agent.core.software.wanted import Manifest

log = logging.getLogger(__name__)

#: In the agent's state directory: the manifest in force, byte for byte as it came.
KEPT = "software.manifest"
KEY_DIGITS = 64
#: Of what was kept: this is not the terminal it was kept on.
_NEVER = (Standing.OTHER_TERMINAL, Standing.UNKNOWN_COMPONENT)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is in force, and what was made of the last offer."""

    in_force: Manifest | None
    standing: Standing
    what: str = ""

    def sentence(self, lang: str) -> str:
        """For people."""
        return sentence(self.standing, lang, self.what)


def _key(told: str) -> bytes:
    """In hexadecimal as all keys of the fleet; files of earlier versions have base64."""
    return bytes.fromhex(told) if len(told) == KEY_DIGITS else base64.b64decode(told)


class Opener:
    """Tells whose bytes these are; one for each configuration."""

    def __init__(self, config: Software) -> None:
        self._keys = {name: _key(told) for name, told in config.keys.items()}
        required = config.require_signature
        self.signed_only = bool(self._keys) if required is None else required

    def opened(self, given: bytes, name: str = "the manifest") -> Manifest | Refusal:
        """What these bytes say, if they may be believed. Never raises."""
        # Loaded where there is a manifest: most terminals have none.
        from agent.watch.software import plain
        from agent.wire.manifest import is_bare, manifest_from
        from agent.wire.signed import DocumentError, is_envelope, parsed

        if len(given) > MAX_BYTES:
            return Refusal(Standing.OVERSIZED, f"{len(given)} > {MAX_BYTES}")
        try:
            text = given.decode("utf-8")
            whole = plain.whole_of(name, text)
            if is_envelope(whole):
                return self._signed(parsed(given))
            if self.signed_only:
                known = isinstance(whole, dict) and whole
                return Refusal(Standing.UNSIGNED if known else Standing.GARBAGE)
            if is_bare(whole):
                return manifest_from(given)
            return plain.manifest_of(name, text, whole)
        except UnicodeDecodeError:
            return Refusal(Standing.GARBAGE, f"{name} is not text")
        except (DocumentError, plain.PlainError) as error:
            return Refusal(Standing.GARBAGE, str(error))

    def offered(self, given: bytes, vouched: str) -> Manifest | Refusal:
        """As `opened`, for what came over the network: never believed without a signature."""
        from agent.wire.manifest import is_bare, manifest_from
        from agent.wire.signed import DocumentError, is_envelope, parsed

        if len(given) > MAX_BYTES:
            return Refusal(Standing.OVERSIZED, f"{len(given)} > {MAX_BYTES}")
        try:
            whole = parsed(given)
            if is_envelope(whole):
                return self._signed(whole)
            if not is_bare(whole):
                return Refusal(Standing.GARBAGE, "it is not a manifest")
            return manifest_from(given, vouched) if vouched else Refusal(Standing.UNSIGNED)
        except DocumentError as error:
            return Refusal(Standing.GARBAGE, str(error))

    def _signed(self, whole: object) -> Manifest | Refusal:
        from agent.crypt import signed_by
        from agent.wire.manifest import manifest_from
        from agent.wire.signed import Document, envelope_in, signed_bytes

        sealed = envelope_in(Document.MANIFEST, whole)
        key = self._keys.get(sealed.key_id)
        if key is None:
            return Refusal(Standing.UNKNOWN_KEY, sealed.key_id)
        if not signed_by(key, signed_bytes(Document.MANIFEST, sealed.payload), sealed.signature):
            return Refusal(Standing.BAD_SIGNATURE, sealed.key_id)
        return manifest_from(sealed.payload, sealed.key_id)


class Manifests:
    """The manifest in force."""

    def __init__(
        self,
        config: Software,
        *,
        state_dir: Path | None,
        terminal: Terminal,
        known: frozenset[str],
        now: Callable[[], Moment],
    ) -> None:
        """`state_dir` None: nothing is kept, as where no daemon runs."""
        self._file = Path(config.manifest) if config.manifest else None
        self._kept = None if state_dir is None else state_dir / KEPT
        self._opener = Opener(config)
        self._terminal = terminal
        self._known = known
        self._now = now
        self._files = Files()
        self._in_force: Manifest | None = None
        self._offered: tuple[bytes, str] | None = None  #: by the fleet, since the start
        self._taken_up = not config.manifest and not config.keys
        self._told: Standing | None = None

    def look(self) -> Verdict:
        """What is in force now; the file is read again only if it is another."""
        self._take_up()
        verdict = self._judged()
        if verdict.standing is not self._told:
            self._told = verdict.standing
            refused = verdict.standing not in (Standing.NONE, Standing.IN_FORCE)
            log.log(
                logging.WARNING if refused else logging.INFO,
                "event=manifest standing=%s sequence=%s reason=%r",
                verdict.standing,
                verdict.in_force.sequence if verdict.in_force else "-",
                verdict.sentence("en"),
            )
        return verdict

    def offer(self, given: bytes, vouched: str = "") -> Verdict:
        """A manifest that came over the network. Without a signature of its own it is believed
        only if `vouched` names the key of the fleet that signed the statement it stood in."""
        self._take_up()
        self._offered = given, vouched
        return self._with(given, self._opener.offered(given, vouched), kept=not vouched)

    def _judged(self) -> Verdict:
        if self._file is None:
            if self._offered is not None:
                given, vouched = self._offered
                opened = self._opener.offered(given, vouched)
                return self._with(given, opened, kept=not vouched)
            return self._unchanged()
        told = self._files.read(self._file, self._read)
        if told.value is None:
            return Verdict(self._in_force, Standing.UNREADABLE, f"{told.why} (cannot be read)")
        given, opened = told.value
        return self._with(given, opened)

    def _read(self, path: Path) -> tuple[bytes, Manifest | Refusal]:
        given = head_of(path, MAX_BYTES + 1)
        if len(given) > MAX_BYTES:
            what = f"{path} is larger than {MAX_BYTES} bytes"
            return b"", Refusal(Standing.OVERSIZED, what)
        opened = self._opener.opened(given, str(path))
        # What it says of versions is worth a look; what it would have installed is not.
        if not isinstance(opened, Refusal) and _installs_unsigned(opened) and _others_write(path):
            what = f"{path} names updates, and others may write it"
            return b"", Refusal(Standing.UNSIGNED, what)
        return given, opened

    def _with(self, given: bytes, opened: Manifest | Refusal, *, kept: bool = True) -> Verdict:
        """Judge what was opened; put it in force if it may be; `kept` for the next start."""
        if isinstance(opened, Refusal):
            return Verdict(self._in_force, opened.standing, opened.what)
        current = self._in_force
        refused = refusal(
            opened, self._terminal, known=self._known, in_force=current, now=self._now()
        )
        if refused is not None:
            return Verdict(current, refused.standing, refused.what)
        if current is None or current.digest != opened.digest:
            if kept and opened.sequence and self._kept is not None:
                try:
                    replaced(self._kept, given)
                except OSError as error:
                    log.warning("event=manifest_not_kept reason=%r", error.strerror)
                    what = f"{self._kept}: {error.strerror}"
                    return Verdict(current, Standing.UNREADABLE, what)
            self._in_force = opened
        return Verdict(opened, Standing.IN_FORCE)

    def _unchanged(self) -> Verdict:
        """Nobody offers anything now."""
        if self._in_force is None:
            return Verdict(None, Standing.NONE)
        refused = validity(self._in_force, self._now())
        if refused is not None:
            return Verdict(self._in_force, refused.standing, refused.what)
        return Verdict(self._in_force, Standing.IN_FORCE)

    def _take_up(self) -> None:
        """The one in force when the agent stopped; only if its key still counts."""
        if self._taken_up:
            return
        self._taken_up = True
        if self._kept is None:
            return
        try:
            given = self._kept.read_bytes()
        except OSError:
            return
        opened = self._opener.opened(given)
        if not isinstance(opened, Refusal):
            refused = refusal(
                opened, self._terminal, known=self._known, in_force=None, now=self._now()
            )
            if refused is None or refused.standing not in _NEVER:
                self._in_force = opened
                return
            opened = refused
        log.warning("event=manifest_not_believed reason=%r", opened.sentence("en"))


def _installs_unsigned(one: Manifest) -> bool:
    return not one.signed_by and any(wanted.offer is not None for wanted in one.wanted)


def _others_write(path: Path) -> bool:
    """Whether anybody but root, the agent and its own group may put another content there."""
    about = path.stat()
    if about.st_uid not in (0, os.geteuid()) or about.st_mode & stat.S_IWOTH:
        return True
    return bool(about.st_mode & stat.S_IWGRP) and about.st_gid not in (0, os.getegid())


def known_of(names: Mapping[str, object]) -> frozenset[str]:
    """Components that can be read whatever a manifest says of them."""
    from agent.watch.software.sources import BUILT_IN

    return frozenset((*BUILT_IN, *names))
