"""The issued profile from its file: read, its signature checked, held against this terminal.

Keeps the one in force when a later one cannot be used. With keys in the configuration only a
signed profile is believed. Blocking; called on a thread.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass

from agent.config.terminal import Configuration
from agent.core.configuration.profile import Profile, Standing, standing
from agent.core.moment import Moment
from agent.watch.configuration.files import FileError, State, read
from agent.watch.configuration.formats import FormError
from agent.wire.profile import (
    ProfileFormError,
    Signed,
    opened,
    parsed,
    profile_from,
    signed_bytes,
)

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

    def __init__(self, config: Configuration, device_id: str) -> None:
        self._path = config.profile
        self._keys = config.profile_keys
        self._device_id = device_id
        self._in_force: Profile | None = None

    def read(self, now: Moment) -> Read:
        """As it is now. Never raises."""
        if not self._path:
            return Read(standing=Standing.NONE)
        try:
            document = read(self._path, self._document)
            offered = self._believed(document)
        except FileError as error:
            return self._refused(_STATES.get(error.state, Standing.UNREADABLE), str(error))
        except ProfileFormError as error:
            return self._refused(Standing.GARBAGE, str(error))
        if isinstance(offered, Read):
            return offered
        stands, what = standing(offered, self._device_id, self._in_force, now)
        if stands is not Standing.IN_FORCE:
            return self._refused(stands, what)
        self._in_force = offered
        return Read(standing=stands, profile=offered)

    def _document(self, raw: bytes) -> object:
        text = raw.decode("utf-8-sig")
        try:
            if self._path.endswith(".toml"):
                return tomllib.loads(text)
            return parsed(text.encode())
        except (tomllib.TOMLDecodeError, ProfileFormError, RecursionError) as error:
            raise FormError(str(error).splitlines()[0][:120]) from None

    def _believed(self, document: object) -> Profile | Read:
        signed = opened(document)
        if signed is None:
            if self._keys:
                return self._refused(Standing.UNSIGNED, "")
            return profile_from(document)
        key = self._keys.get(signed.key_id)
        if key is None:
            return self._refused(Standing.UNKNOWN_KEY, signed.key_id)
        if not _genuine(bytes.fromhex(key), signed):
            return self._refused(Standing.BAD_SIGNATURE, signed.key_id)
        return profile_from(parsed(signed.payload), signed.key_id)

    def _refused(self, stands: Standing, what: str) -> Read:
        return Read(standing=stands, what=what, profile=self._in_force)


def _genuine(key: bytes, signed: Signed) -> bool:
    from agent.crypt import signed_by

    return signed_by(key, signed_bytes(signed.payload), signed.signature)
