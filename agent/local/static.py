"""The page's files: what lies in one folder, and nothing else of this machine.

Decides which paths may be a file at all (plain names of known kinds, no dots in front, no links)
and how a browser may keep it. The files hold nothing about this terminal, so nobody has to be
signed in to read them. Called by the door.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from pathlib import Path

from agent.http.message import Request, Response

#: The files of the technician's page, part of the package.
PAGE = Path(__file__).parent / "page"
MAX_BYTES = 2_097_152

_PATH = re.compile(r"/(?:[A-Za-z0-9_][A-Za-z0-9_-]*/){0,3}[A-Za-z0-9_][A-Za-z0-9_.-]*\.([a-z0-9]+)")
KINDS = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "mjs": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "json": "application/json",
    "svg": "image/svg+xml",
    "png": "image/png",
    "ico": "image/x-icon",
    "txt": "text/plain; charset=utf-8",
    "webmanifest": "application/manifest+json",
    "woff2": "font/woff2",
}


def found(request: Request, folder: Path = PAGE) -> Response | None:
    """The file a GET asks for; None: there is none of that name."""
    path = "/index.html" if request.path == "/" else request.path
    fits = _PATH.fullmatch(path)
    if fits is None or ".." in path or (kind := KINDS.get(fits[1])) is None:
        return None
    body = _bytes(folder, path[1:])
    if body is None:
        return None
    tag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    # Kept, but asked for each time: after an update nobody looks at an old page.
    headers = {"etag": tag, "cache-control": "no-cache"}
    if tag in [one.strip() for one in request.headers.get("if-none-match", "").split(",")]:
        return Response(status=304, headers=headers)
    return Response(status=200, headers=headers | {"content-type": kind}, body=body)


def _bytes(folder: Path, name: str) -> bytes | None:
    """No link is followed: neither the file nor a folder on the way to it may be one."""
    at = folder
    for part in name.split("/"):
        at = at / part
        if at.is_symlink():
            return None
    try:
        fd = os.open(at, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(fd, "rb") as file:
        told = os.fstat(fd)
        if not stat.S_ISREG(told.st_mode) or told.st_size > MAX_BYTES:
            return None
        return file.read(MAX_BYTES)
