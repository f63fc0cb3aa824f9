"""`posagent fleet key new|show`: the file an operator signs with."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

from agent.cli.fleet import content
from agent.cli.session import Exit, Session
from agent.errors import OperatorError
from agent.fleet import keys
from agent.fleet.keys import Signer

SHORTEST = 8


def key(session: Session) -> int:
    """Make one, or show what may be known of it."""
    args, t = session.args, session.words
    if args.what == "new":
        public = keys.new(args.file, args.key_id, _chosen(session))
    else:
        public = keys.show(args.file)
    if session.json:
        session.print_json(
            {
                "key_id": public.key_id,
                "public_key": public.public.hex(),
                "passphrase": public.sealed,
                "last_seq": public.last_seq,
            }
        )
        return Exit.OK
    made = args.what == "new"
    session.screen.text(
        t("fleet.key.made" if made else "fleet.key.is", path=args.file, name=public.key_id)
    )
    if public.sealed:
        session.screen.text(t("fleet.key.sealed"))
    elif made:
        session.screen.text(t("fleet.key.plain"), style="warn")
    if public.last_seq:
        session.screen.text(t("fleet.key.seq", seq=public.last_seq))
    session.screen.text(t("fleet.key.config"))
    print(f'[[fleet_key]]\nid = "{public.key_id}"\npublic_key = "{public.public.hex()}"')
    print('roles = ["operate"]')
    return Exit.OK


def signer(session: Session) -> Signer:
    """The key named by `--sign-key`, its passphrase from a file or asked for."""
    path: Path | None = session.args.sign_key
    if path is None:
        raise OperatorError("fleet.no_key", session.words("fleet.no_key"), "--sign-key FILE")
    if not keys.sealed(path):
        return keys.opened(path)
    return keys.opened(path, _given(session) or _asked(session.words("fleet.passphrase")))


def _given(session: Session) -> bytes | None:
    """From the file after `--passphrase`."""
    told = session.args.passphrase
    if not told:
        return None
    return content(Path(told)).rstrip(b"\r\n")


def _chosen(session: Session) -> bytes | None:
    """For a new key; None where none is wanted."""
    if session.args.passphrase is None:
        return None
    told = _given(session)
    if told is None:
        told = _asked(session.words("fleet.passphrase"))
        if told != _asked(session.words("fleet.passphrase.again")):
            raise OperatorError("fleet.passphrase", session.words("fleet.passphrase.differ"))
    if len(told) < SHORTEST:
        raise OperatorError(
            "fleet.passphrase", session.words("fleet.passphrase.short", count=SHORTEST)
        )
    return told


def _asked(question: str) -> bytes:
    if not sys.stdin.isatty():
        raise OperatorError("fleet.passphrase", question, "--passphrase FILE")
    return getpass.getpass(f"{question} ").encode()
