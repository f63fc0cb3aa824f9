"""Where a bank's list is fetched from: its server over HTTPS, or a program of the firmware.

Decides what an answer is worth before anybody reads it: a list, none of that day, the same as
before, or a failure with one kind and one sentence. Follows no redirect and asks once; when to ask
again is for `agent.actions.pulling`.
"""

from __future__ import annotations

import os
import re
import ssl
import stat
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from agent.errors import OperatorError
from agent.http.client import Answered, Client, Dial, NotSent, Origin
from agent.link.tls import client_context
from agent.record import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.blocking import Blocking
    from agent.config.reconcile import Reconcile

FILES_DEADLINE_S = 5.0
CONNECT_S = 15.0
_MOST_SECRET_BYTES = 4_096
_HTML = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
#: HTTP status -> kind of failure.
_KINDS = {401: "refused", 403: "refused", 404: "not_there", 407: "refused", 410: "not_there",
          408: "busy", 425: "busy", 429: "busy", 503: "busy"}  # fmt: skip


class PullError(Exception):
    """There is no list. `kind` is one word for the log, the text a sentence."""

    def __init__(self, kind: str, what: str, retry_after_s: float | None = None) -> None:
        super().__init__(what)
        self.kind = kind
        self.what = what
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What came."""

    body: bytes = b""  #: empty: no list of that day
    name: str = ""
    same: bool = False  #: as it was the last time
    etag: str = ""
    modified: str = ""


class ListSource:
    """Fetches. `dial` opens connections as an uplink's are opened."""

    def __init__(self, dial: Dial, blocking: Blocking, hooks: Path) -> None:
        self._dial = dial
        self._blocking = blocking
        self._hooks = hooks

    async def fetch(self, table: Reconcile, day: date, known: Mapping[str, str]) -> Fetched:
        """The list of `day`; `known`: `etag` and `modified` of the last. Raises PullError."""
        if table.pull.startswith("hook:"):
            return await self._hook(table, day)
        return await self._http(table, day, known)

    async def _hook(self, table: Reconcile, day: date) -> Fetched:
        from agent.hooks.findings import HookError
        from agent.hooks.listing import PREFIX, listed

        name = table.pull.removeprefix("hook:")
        try:
            body = await listed(
                self._hooks, name, profile=table.name, day=day.isoformat(),
                deadline_s=table.pull_deadline_s, most_bytes=table.max_mb * 1024 * 1024,
                blocking=self._blocking,
            )  # fmt: skip
        except HookError as error:
            raise PullError(f"hook_{error.finding.word}", error.finding.what()) from None
        return Fetched(body=body, name=f"{PREFIX}{name}-{day.isoformat()}")

    async def _http(self, table: Reconcile, day: date, known: Mapping[str, str]) -> Fetched:
        url = urlsplit(address(table.pull, day))
        secure = url.scheme == "https"
        try:
            tls, secret = await self._blocking.call(
                "list.files", lambda: _files(table, secure=secure), FILES_DEADLINE_S
            )
        except OperatorError as error:
            raise PullError("files", error.what) from None
        except TimeoutError:
            raise PullError("files", "the certificate files cannot be read in time") from None
        client = Client(
            Origin(
                scheme="https" if secure else "http",
                host=url.hostname or "",
                port=url.port or (443 if secure else 80),
            ),
            self._dial,
            tls=tls,
            connect_timeout_s=min(CONNECT_S, table.pull_deadline_s),
            keep_alive_s=0,
            max_answer_bytes=table.max_mb * 1024 * 1024,
        )
        headers = [("accept", "text/csv, application/json, */*")]
        if secret:
            headers.append(("authorization", secret))
        for header, tag in (("if-none-match", "etag"), ("if-modified-since", "modified")):
            if known.get(tag):
                headers.append((header, known[tag]))
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        try:
            outcome = await client.request(
                "GET", target, headers, answer_timeout_s=table.pull_deadline_s
            )
        finally:
            await client.close()
        if isinstance(outcome, NotSent):
            raise PullError(f"no_connection_{outcome.layer}", outcome.reason)
        if not isinstance(outcome, Answered):
            kind = "too_large" if "answer exceeds" in outcome.reason else "broken_off"
            raise PullError(kind, outcome.reason)
        return _judged(outcome, url.path)


def address(pull: str, day: date) -> str:
    """The address of that day's list."""
    return pull.replace("{date}", day.isoformat()).replace("{yyyymmdd}", f"{day:%Y%m%d}")


def dated(table: Reconcile) -> bool:
    """Whether what is fetched is the list of the very day that was asked for."""
    return table.pull.startswith("hook:") or "{" in table.pull


def _judged(outcome: Answered, path: str) -> Fetched:
    status, headers = outcome.status, outcome.headers
    if status == 304:
        return Fetched(same=True)
    if status == 204:
        return Fetched()
    if status != 200:
        if 300 <= status < 400:
            raise PullError("redirect", f"the bank's server answered {status}: it points elsewhere")
        kind = _KINDS.get(status, "server" if status >= 500 else "answer")
        said = headers.get("retry-after", "").strip()
        told = float(min(int(said[:9]), 10**6)) if said.isascii() and said.isdigit() else None
        raise PullError(kind, f"the bank's server answered {status}", told)
    if _HTML.match(outcome.body[:512]):
        raise PullError("not_a_list", "the bank's server answered a web page instead of a list")
    return Fetched(
        body=outcome.body,
        name=path.rpartition("/")[2][:128] or "list",
        etag=_tag(headers.get("etag", "")),
        modified=_tag(headers.get("last-modified", "")),
    )


def _tag(text: str) -> str:
    """As it goes back in a header; one that is too long or strange is not kept."""
    return text if len(text) <= 256 and re.fullmatch("[ -~]*", text) else ""


def _files(table: Reconcile, *, secure: bool) -> tuple[ssl.SSLContext | None, str]:
    """Read anew each time: certificates are renewed. Raises OperatorError."""
    tls = client_context(table.ca_file, table.cert_file, table.key_file) if secure else None
    return tls, _secret(table.authorization_file) if table.authorization_file else ""


def _secret(file: str) -> str:
    """What the Authorization header says; the file is for nobody else's eyes."""
    try:
        fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError as error:
        raise _bad(f"authorization_file {file}: {error.strerror}") from None
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_uid not in (0, os.geteuid()):
            raise _bad(
                f"authorization_file {file}: it is not a file of the agent's user or of root"
            )
        if found.st_mode & 0o077:
            raise _bad(f"authorization_file {file}: others can read it; run: chmod 0600")
        text = os.read(fd, _MOST_SECRET_BYTES).decode("utf-8", "replace").strip()
    finally:
        os.close(fd)
    if not re.fullmatch("[!-~][ -~]{0,2000}", text):
        raise _bad(f"authorization_file {file}: it must hold one line, such as: Bearer …")
    return text


def _bad(what: str) -> OperatorError:
    return OperatorError("reconcile.credentials", what)
