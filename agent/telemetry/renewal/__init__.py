"""The terminal's certificate for the broker: how long it lasts, and the way to a new one.

`carry_out` is the command `renew_certificate`: without arguments it makes a new key and answers
with the request for it, with `certificate` it takes what the fleet's authority made of that. Both
happen in a process of their own (`agent.provision`), which alone knows the key. Renews nothing by
itself: it tells when it is time (`certificate_due`), and the fleet decides.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from agent.blocking import Blocking
from agent.clock import Clock
from agent.core.health.reading import Value
from agent.errors import HardwareError, OperatorError
from agent.link.x509 import Certificate, in_pem
from agent.record import dataclass

log = logging.getLogger(__name__)

CHILD_S = 60.0
#: Two thirds of a certificate's life, give or take a tenth of it, differently for each terminal.
DUE_SHARE, JITTER_SHARE = 2 / 3, 0.1
DAY_S = 86_400
#: Larger than any certificate.
MAX_FILE_BYTES = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Where the pair in force lies."""

    cert_file: str
    key_file: str
    ca_file: str


class Renewal:
    """One terminal's. `renewed` hears when a new pair lies ready."""

    def __init__(
        self,
        files: Files,
        *,
        tenant: str,
        device_id: str,
        clock: Clock,
        blocking: Blocking,
        renewed: Callable[[], None],
    ) -> None:
        self._files = files
        self._tenant, self._device_id = tenant, device_id
        self._clock, self._blocking, self._renewed = clock, blocking, renewed
        self._mark: tuple[int, ...] = ()
        self._certificate: Certificate | None = None

    async def carry_out(self, args: Mapping[str, object], by: str) -> Mapping[str, object]:
        """The command. Raises AgentError; its code says why."""
        if importlib.util.find_spec("cryptography") is None:
            raise OperatorError(
                "not_available",
                "certificates cannot be requested here: the Python package cryptography is missing",
                "install the extra `provision`",
            )
        told: dict[str, object] = {
            "tenant": self._tenant,
            "device_id": self._device_id,
            "cert_file": self._files.cert_file,
            "key_file": self._files.key_file,
            "ca_file": self._files.ca_file,
        }
        if "certificate" not in args:
            answer = await self._asked("request", told)
            log.info("event=certificate_requested by=%s", by)
            return answer
        now = self._clock.now()
        told |= {"chain": args["certificate"], "now_ms": now.wall_ms if now.trusted else None}
        answer = await self._asked("accept", told)
        log.info("event=certificate_accepted by=%s expires_ts=%s", by, answer.get("expires_ts"))
        self._renewed()
        return answer

    def values(self) -> dict[str, Value]:
        """For the component `fleet`: whole days left, and whether a new one should be made."""
        one = self._read()
        now = self._clock.now()
        if one is None or not now.trusted:
            return {}
        life_s = (one.expires_at - one.begins_at).total_seconds()
        age_s = (now.at - one.begins_at).total_seconds()
        left_s = (one.expires_at - now.at).total_seconds()
        return {
            "certificate_days": int(left_s // DAY_S),
            "certificate_due": age_s >= life_s * self._share(one),
        }

    def _share(self, one: Certificate) -> float:
        """When it is time, as a share of its life: the same after every start."""
        drawn = hashlib.sha256(f"{self._device_id} {one.expires_at:%s}".encode()).digest()
        return DUE_SHARE + JITTER_SHARE * (2 * drawn[0] / 255 - 1)

    def _read(self) -> Certificate | None:
        """The one in force; its file is read again only when it is another."""
        path = Path(self._files.cert_file)
        try:
            seen = path.stat()
            mark = (seen.st_ino, seen.st_mtime_ns, seen.st_size)
            if mark != self._mark:
                with path.open("rb") as file:
                    found = in_pem(file.read(MAX_FILE_BYTES))
                self._certificate = found[0] if found else None
                self._mark = mark
        except OSError:
            return None
        return self._certificate

    async def _asked(self, what: str, told: Mapping[str, object]) -> dict[str, Any]:
        from agent.offload import HOME

        def run() -> subprocess.CompletedProcess[bytes]:
            return subprocess.run(
                [sys.executable, "-m", "agent.provision", what],
                cwd=HOME,
                input=json.dumps(told).encode(),
                capture_output=True,
                timeout=CHILD_S,
                check=False,
            )

        try:
            done = await self._blocking.call("provision", run, CHILD_S + 5)
            answer: dict[str, Any] = json.loads(done.stdout)
        except (OSError, ValueError, TimeoutError, subprocess.TimeoutExpired) as error:
            raise HardwareError(
                "provision_failed", f"the provisioning program failed: {type(error).__name__}"
            ) from None
        if problem := answer.get("problem"):
            raise OperatorError(str(problem), str(answer.get("detail") or problem))
        return answer
