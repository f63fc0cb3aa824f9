"""`posagent fleet …`: the orders, and what they have in common. For operators, not on terminals.

Each order has a module of its own, loaded when it is asked for.
"""

from __future__ import annotations

import getpass
import importlib
import sys
from collections.abc import Callable
from pathlib import Path

from agent.cli.session import Session, UnreachableError
from agent.errors import OperatorError, RemoteError
from agent.fleet.line import Access

MAX_FILE_BYTES = 16_777_216
CONNECT_S = 20.0


def fleet(session: Session) -> int:
    """The orders of `posagent fleet`."""
    module = importlib.import_module(f"agent.cli.fleet_{session.args.order}")
    order: Callable[[Session], int] = getattr(module, session.args.order)
    try:
        return order(session)
    except RemoteError as down:
        raise UnreachableError(down.code, down.what, down.hint) from down


def access(session: Session) -> Access:
    """Broker and credentials as given; the password never comes from the command line."""
    args = session.args
    password = ""
    if args.password_file is not None:
        password = content(args.password_file).decode("utf-8", "replace").rstrip("\r\n")
    elif args.username and sys.stdin.isatty():
        password = getpass.getpass()
    return Access(
        broker=args.broker,
        ca_file=str(args.ca or ""),
        cert_file=str(args.cert or ""),
        key_file=str(args.key or ""),
        username=args.username,
        password=password,
        client_id=args.client_id,
    )


def content(path: Path) -> bytes:
    """A file an operator names. Raises OperatorError."""
    try:
        with path.open("rb") as file:
            told = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise OperatorError("fleet.file", f"{path}: {error.strerror}") from error
    if len(told) > MAX_FILE_BYTES:
        raise OperatorError("fleet.file", f"{path}: > {MAX_FILE_BYTES >> 20} MiB")
    return told


def names(path: Path) -> list[str]:
    """Terminals, one a line; what follows a `#` is for people."""
    lines = content(path).decode("utf-8", "replace").splitlines()
    found = [line.partition("#")[0].strip() for line in lines]
    return list(dict.fromkeys(name for name in found if name))
