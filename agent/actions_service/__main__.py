"""The program: arguments, the socket systemd hands over or one of its own, and an end when idle."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import pwd
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from agent.actions_service.audit import Audit, AuditError
from agent.actions_service.service import IDLE_S, Service
from agent.supervise import DaemonThreads

#: systemd hands sockets over from this descriptor on.
LISTEN_FD = 3
SOCKET_MODE = 0o660
EXIT_USAGE = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until told to stop, or until idle if systemd starts it again. Returns the exit code."""
    args = _arguments(argv)
    os.umask(0o077)
    logging.basicConfig(stream=sys.stderr, level="INFO", format="%(levelname)s %(message)s")
    try:
        uid = _uid(args.peer)
        audit = Audit(args.audit)
        listening, activated = _socket(args.socket, uid)
    except (AuditError, LookupError, OSError) as error:
        print(f"posagent-actions: {error}", file=sys.stderr)
        return EXIT_USAGE
    service = Service(
        directory=args.directory, audit=audit, blocking=DaemonThreads(), peers=frozenset({0, uid})
    )
    try:
        return asyncio.run(_serve(service, listening, IDLE_S if activated else None))
    finally:
        audit.close()
        if not activated:
            args.socket.unlink(missing_ok=True)


async def _serve(service: Service, listening: socket.socket, idle_s: float | None) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await service.serve(listening, stop, idle_s)
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("posagent-actions", allow_abbrev=False)
    parser.add_argument("--directory", type=Path, default=Path("/etc/posagent/actions.d"))
    parser.add_argument("--audit", type=Path, default=Path("/var/log/posagent/actions.audit"))
    parser.add_argument("--peer", default="posagent", help="user name or uid that may ask")
    parser.add_argument("--socket", type=Path, default=Path("/run/posagent-actions/actions.sock"))
    return parser.parse_args(argv)


def _uid(name: str) -> int:
    if name.isdecimal():
        return int(name)
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise LookupError(
            f"there is no user {name}: create it, or name another with --peer"
        ) from None


def _socket(path: Path, uid: int) -> tuple[socket.socket, bool]:
    """A listening socket, and whether systemd made it."""
    if os.environ.get("LISTEN_PID") == str(os.getpid()) and os.environ.get("LISTEN_FDS") == "1":
        return socket.socket(fileno=LISTEN_FD), True
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.unlink(missing_ok=True)
        made.bind(str(path))  # the umask has kept everybody out until here
        if os.geteuid() == 0:
            try:
                gid = pwd.getpwuid(uid).pw_gid
            except KeyError:
                gid = 0
            os.chown(path, 0, gid)
        path.chmod(SOCKET_MODE)
        made.listen(8)
    except BaseException:
        made.close()
        raise
    return made, False


if __name__ == "__main__":
    sys.exit(main())
