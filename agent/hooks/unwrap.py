"""Has the firmware open the payload keys it keeps wrapped: the hook `key.unwrap`.

Called by the store where the key ring is loaded, on the store's own thread, which waits: a loop of
its own lives as long as the one run of the hook, under the same guard as any other. Decides nothing
about keys; whatever goes wrong is an OSError, on which the store refuses to take payments and asks
again. What was said is never shown.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging

from agent.blocking import Blocking
from agent.clock import SystemClock
from agent.config.hooks import Hooks
from agent.hooks.findings import HookError
from agent.hooks.pull import Answered, Puller
from agent.wire.hook_table import hook_named
from agent.wire.hooks import KeyUnwrapped

log = logging.getLogger(__name__)

NAME = "key.unwrap"
#: What the firmware is told it opens.
KEY_ID = "payload.keys"
#: Of the request's `wrapped`, before base64.
WRAPPED_MAX_BYTES = 6_144


class Unwrapper:
    """`agent.store.sealing.Sealing.unwrap` by a hook."""

    def __init__(self, config: Hooks, blocking: Blocking) -> None:
        """`blocking` is nobody else's: it is used from another thread."""
        self._config = config
        self._blocking = blocking
        self._said = ""  #: the last reason: told once, however often the store asks again

    def __call__(self, wrapped: bytes) -> bytes:
        """The bytes in clear. Raises OSError saying why there are none. Blocking."""
        try:
            clear = self._clear(wrapped)
        except OSError as error:
            if str(error) != self._said:
                self._said = str(error)
                log.warning("event=keys_not_unwrapped reason=%r", self._said)
            raise
        if self._said:
            log.info("event=keys_unwrapped")
        self._said = ""
        return clear

    def _clear(self, wrapped: bytes) -> bytes:
        if len(wrapped) > WRAPPED_MAX_BYTES:
            raise OSError(f"{self._config.wrapped_keys} has more than {WRAPPED_MAX_BYTES} bytes")
        try:
            answer = asyncio.run(self._asked(wrapped)).answer
        except HookError as error:
            raise OSError(error.finding.what()) from None
        if not isinstance(answer, KeyUnwrapped):
            raise OSError(answer.reason)
        try:
            return base64.b64decode(answer.key, validate=True)
        except (binascii.Error, ValueError):
            raise OSError(f"{NAME} answered what is not base64") from None

    async def _asked(self, wrapped: bytes) -> Answered:
        hook = hook_named(NAME)
        assert hook is not None
        # Without the breaker: the store asks at its own pace, and there are no payments meanwhile.
        puller = Puller(self._config, SystemClock(), self._blocking)
        text = base64.b64encode(wrapped).decode("ascii")
        request = puller.request(hook, NAME, key_id=KEY_ID, wrapped=text)
        return await puller.run(hook, NAME, request)
