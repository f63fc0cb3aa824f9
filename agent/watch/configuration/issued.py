"""The issued profile from its file: read, its signature checked, held against this terminal.

Keeps the one in force when a later one cannot be used, a signed one over a restart, too. With keys
in the configuration only a signed profile is believed. Blocking; called on a thread.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

from agent.config.terminal import Configuration
from agent.core.configuration.profile import Profile, Standing, standing
from agent.core.moment import Moment
from agent.durable import replaced
from agent.record import dataclass
from agent.watch import toml
from agent.watch.configuration.files import FileError, State, read
from agent.watch.configuration.formats import FormError
from agent.wire.profile import profile_from
from agent.wire.signed import (
    Document,
    DocumentError,
    Envelope,
    envelope_in,
    is_envelope,
    parsed,
    signed_bytes,
)

log = logging.getLogger(__name__)

#: In the state directory: the signed profile in force.
KEPT = "profile.kept"

_STATES = {
    State.MISSING: Standing.MISSING,
    State.DENIED: Standing.DENIED,
    State.HALF_WRITTEN: Standing.HALF_WRITTEN,
    State.MALFORMED: Standing.GARBAGE,
    State.BINARY: Standing.GARBAGE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What became of the profile."""

    standing: Standing
    what: str = ""
    profile: Profile | None = None  #: the one in force, which may be an earlier one


class Issue:
    """The profile of this terminal."""

    def __init__(
        self, config: Configuration, device_id: str, state_dir: Path | None = None
    ) -> None:
        """`state_dir`: there a signed one that came into force is kept, so that no older one comes
        into force after a restart; None: nothing is kept, as where no daemon runs."""
        self._kept = None if state_dir is None or not config.profile_keys else state_dir / KEPT
        self._taken_up = False
        self._path = config.profile
        self._keys = config.profile_keys
        self._device_id = device_id
        self._in_force: Profile | None = None

    def read(self, now: Moment) -> Read:
        """As it is now. Never raises."""
        if not self._path:
            return Read(standing=Standing.NONE)
        self._take_up(now)
        try:
            document = read(self._path, self._document)
            offered = self._believed(document)
        except FileError as error:
            return self._refused(_STATES.get(error.state, Standing.UNREADABLE), str(error))
        except DocumentError as error:
            return self._refused(Standing.GARBAGE, str(error))
        if isinstance(offered, Read):
            return offered
        stands, what = standing(offered, self._device_id, self._in_force, now)
        if stands is not Standing.IN_FORCE:
            return self._refused(stands, what)
        if offered != self._in_force:
            self._keep(document)
        self._in_force = offered
        return Read(standing=stands, profile=offered)

    def _take_up(self, now: Moment) -> None:
        """The one in force when the agent stopped, if its key still counts and it is ours."""
        if self._kept is None or self._taken_up:
            return
        self._taken_up = True
        try:
            before = self._believed(read(str(self._kept), parsed))
        except (FileError, DocumentError) as error:
            log.debug("event=profile_not_taken_up reason=%r", str(error))
            return
        if isinstance(before, Profile):
            stands, _ = standing(before, self._device_id, None, now)
            if stands is not Standing.OTHER_TERMINAL:
                self._in_force = before

    def _keep(self, document: object) -> None:
        if self._kept is None:
            return
        try:
            replaced(self._kept, json.dumps(document).encode())
        except OSError as error:
            log.warning("event=profile_not_kept reason=%r", error.strerror)

    def _document(self, raw: bytes) -> object:
        text = raw.decode("utf-8-sig")
        try:
            if self._path.endswith(".toml"):
                return toml.loads(text)
            return parsed(text.encode())
        except (ValueError, RecursionError) as error:  # ValueError: also a number without end
            raise FormError(str(error).splitlines()[0][:120]) from None

    def _believed(self, document: object) -> Profile | Read:
        if not is_envelope(document):
            if self._keys:
                return self._refused(Standing.UNSIGNED, "")
            return profile_from(document)
        signed = envelope_in(Document.PROFILE, document)
        key = self._keys.get(signed.key_id)
        if key is None:
            return self._refused(Standing.UNKNOWN_KEY, signed.key_id)
        if not _genuine(bytes.fromhex(key), signed):
            return self._refused(Standing.BAD_SIGNATURE, signed.key_id)
        return profile_from(parsed(signed.payload), signed.key_id)

    def _refused(self, stands: Standing, what: str) -> Read:
        return Read(standing=stands, what=what, profile=self._in_force)


def _genuine(key: bytes, signed: Envelope) -> bool:
    from agent.crypt import signed_by

    return signed_by(key, signed_bytes(Document.PROFILE, signed.payload), signed.signature)
