"""Ask the running daemon over its unix socket, synchronously, and never for longer than promised.

One request a connection. The deadline covers everything from connecting to the last byte: a daemon
that hangs must not hang the technician's terminal too. What the answers mean is not known here.
"""

from __future__ import annotations

import errno
import io
import json
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

from agent.errors import AgentError, CallerError, OperatorError, RemoteError

#: The largest honest answer is a page of 500 records.
MAX_ANSWER_BYTES = 8 * 1024 * 1024
#: A full backlog on a unix socket refuses at once (EAGAIN): worth a second knock.
_KNOCK_AGAIN_S = 0.1


class DaemonDownError(RemoteError):
    """Nobody listens on the socket."""


class DaemonSilentError(RemoteError):
    """Somebody listens, but did not answer in time or in HTTP."""


class RoleError(OperatorError):
    """The daemon knows who we are and does not let us."""


class RefusedError(CallerError):
    """The daemon understood and said no. `status` is the HTTP status."""

    def __init__(self, status: int, code: str, what: str, hint: str) -> None:
        super().__init__(code, what, hint)
        self.status = status


class Daemon:
    """The daemon behind one socket."""

    def __init__(self, socket_path: Path, deadline_s: float = 10.0) -> None:
        self.socket_path = socket_path
        self._deadline_s = deadline_s

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """The JSON answer to a question. Raises an AgentError of this file otherwise."""
        return self.request("GET", f"{path}?{urlencode(query)}" if query else path)

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The JSON answer to an order."""
        return self.request("POST", path, body or {})

    def request(self, method: str, target: str, body: Mapping[str, Any] | None = None) -> Any:
        """One request, one answer."""
        content = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
        head = [f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close"]
        head += ["Accept: application/json"]
        if body is not None:
            head += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
        raw = self._exchange("\r\n".join(head).encode("ascii") + b"\r\n\r\n" + content)
        status, answer = _parse(raw, method)
        if 200 <= status < 300:
            return answer
        raise _refusal(status, answer)

    def _exchange(self, request: bytes) -> bytes:
        deadline = time.monotonic() + self._deadline_s
        answer = bytearray()
        try:
            with self._connected(deadline) as connection:
                connection.settimeout(_left(deadline))
                connection.sendall(request)
                while len(answer) <= MAX_ANSWER_BYTES:
                    connection.settimeout(_left(deadline))
                    piece = connection.recv(65_536)
                    if not piece:
                        return bytes(answer)
                    answer += piece
        except TimeoutError as error:
            raise DaemonSilentError(
                "daemon.silent",
                f"the daemon at {self.socket_path} did not answer within {self._deadline_s:g} s",
                "see its log: journalctl -u posagent",
            ) from error
        except PermissionError as error:
            raise RoleError(
                "role.socket",
                f"no right to use {self.socket_path}",
                "run this as root or as a member of the agent's group",
            ) from error
        except OSError as error:
            if not answer and error.errno in {errno.ENOENT, errno.ECONNREFUSED, errno.ENOTDIR}:
                raise DaemonDownError(
                    "daemon.down",
                    f"no daemon listens at {self.socket_path}",
                    "start it: systemctl start posagent",
                ) from error
            raise DaemonSilentError(
                "daemon.broke_off",
                f"the daemon broke off: {(error.strerror or str(error)).lower()}",
            ) from error
        raise DaemonSilentError("daemon.too_much", f"an answer above {MAX_ANSWER_BYTES} bytes")

    def _connected(self, deadline: float) -> socket.socket:
        while True:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.settimeout(_left(deadline))
                connection.connect(str(self.socket_path))
                return connection
            except BlockingIOError:
                connection.close()
                time.sleep(min(_KNOCK_AGAIN_S, _left(deadline)))
            except OSError:
                connection.close()
                raise


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class _Received:
    """The bytes of an answer in the shape `HTTPResponse` reads from."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, *_: object) -> io.BytesIO:
        return io.BytesIO(self._raw)


def _parse(raw: bytes, method: str) -> tuple[int, Any]:
    # Here, because the error classes above are also on the daemon's way: it and what it drags in
    # (email) cost 2 MB there.
    from http.client import HTTPException, HTTPResponse

    response = HTTPResponse(cast("socket.socket", _Received(raw)), method=method)
    try:
        response.begin()
        body = response.read()
        return response.status, json.loads(body) if body else None
    except (HTTPException, ValueError) as error:
        raise DaemonSilentError(
            "daemon.garbled", f"the daemon's answer cannot be read: {type(error).__name__}"
        ) from error
    finally:
        response.close()


def _refusal(status: int, answer: Any) -> AgentError:
    document = answer if isinstance(answer, dict) else {}
    code = str(document.get("code", f"http.{status}"))
    what = str(document.get("detail") or document.get("title") or f"the daemon answered {status}")
    hint = str(document.get("hint") or "")
    if status in {401, 403}:
        return RoleError(code, what, hint)
    return RefusedError(status, code, what, hint)
