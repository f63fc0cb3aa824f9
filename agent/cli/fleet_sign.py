"""`posagent fleet sign`: documents signed without any network, for a machine that has none.

Writes one envelope per terminal, or one for a group; `fleet send --envelope` and
`fleet desired` publish them as they are.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from agent.cli.fleet import content, names
from agent.cli.fleet_key import signer
from agent.cli.session import Exit, Session
from agent.durable import replaced
from agent.errors import OperatorError
from agent.fleet import sending
from agent.fleet.rollout import statement
from agent.fleet.sending import Order


def sign(session: Session) -> int:
    """Commands, or with `--desired` a group's state."""
    args, t = session.args, session.words
    from agent.cli.fleet_watch import now_ms

    if args.desired is not None:
        said = statement(table(args.desired))
        key = signer(session)
        envelope = said.signed(key)
        path = args.out / f"{said.group}-{said.version}.desired"
        _write(path, envelope)
        written = [path]
    else:
        order, devices, tenant = ordered(session)
        if not devices:
            raise OperatorError("fleet.to", t("fleet.nobody"), "--to DEVICE")
        key = signer(session)
        made = sending.signed_for(order, [(tenant, each) for each in devices], key, now_ms())
        written = []
        for one in made:
            path = args.out / f"{one.device}-{one.cmd_id}.cmd"
            _write(path, one.envelope)
            written.append(path)
    if session.json:
        session.print_json([str(path) for path in written])
    else:
        for path in written:
            print(path)
    return Exit.OK


def ordered(session: Session) -> tuple[Order, list[str], str]:
    """Order, terminals and tenant, from arguments and from the file of `--from`."""
    args, t = session.args, session.words
    told: dict[str, Any] = table(args.source) if args.source is not None else {}
    unknown = told.keys() - {"op", "args", "to", "tenant", "expires_s"}
    if unknown or not isinstance(told.get("args", {}), dict):
        raise OperatorError("fleet.form", f"{args.source}: {', '.join(sorted(unknown)) or 'args'}")
    op = args.op or told.get("op")
    if not isinstance(op, str):
        raise OperatorError("fleet.op", t("fleet.no_op"))
    given: dict[str, object] = dict(told.get("args", {}))
    for each in args.arg:
        name, equals, value = each.partition("=")
        if not equals:
            raise OperatorError("fleet.args", f"{each!r} is not NAME=VALUE")
        given[name] = value
    lifetime_s = told.get("expires_s", args.expires)
    if not isinstance(lifetime_s, int | float):
        raise OperatorError("fleet.expires", f"{lifetime_s!r}")
    devices = [*args.to, *(names(args.to_file) if args.to_file else [])]
    if not devices and isinstance(told.get("to"), list):
        devices = [str(each) for each in told["to"]]
    tenant = args.tenant or told.get("tenant") or ""
    if not isinstance(tenant, str) or not (tenant or getattr(args, "where", None)):
        raise OperatorError("fleet.tenant", t("fleet.no_tenant"), "--tenant NAME")
    order = sending.order(op, given, round(lifetime_s * 1000))
    return order, list(dict.fromkeys(devices)), tenant


def table(path: Path) -> dict[str, Any]:
    """A person's TOML or JSON. Raises OperatorError."""
    raw = content(path)
    try:
        text = raw.decode("utf-8")
        told = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise OperatorError("fleet.form", f"{path}: {error}") from error
    if not isinstance(told, dict):
        raise OperatorError("fleet.form", f"{path}: {{…}}")
    return told


def _write(path: Path, envelope: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replaced(path, envelope + b"\n")
    except OSError as error:
        raise OperatorError("fleet.file", f"{path}: {error.strerror}") from error
