"""A support bundle: what this terminal can tell about itself, in one file without secrets.

Collects what the local API answers, each with a deadline of its own: what fails or takes too long
is named in the manifest and keeps nothing else from going in. Redacting, the machine's own facts
and packing are done by the program `bundle` beside the daemon.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import re
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from agent.actions.ports import Ports
from agent.bundles import PIECE_BYTES
from agent.errors import AgentError, OperatorError
from agent.wire.api import BY_NAME, Message, Nothing, arguments_of, encode
from agent.wire.bundle import BundleFailureOut, BundleOut, BundlePieceArgs, BundlePieceOut
from agent.wire.problem import RequestError

if TYPE_CHECKING:
    from agent.bundles import Surroundings

log = logging.getLogger(__name__)

#: Member, operation of the API table, its query.
COLLECTED: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("verdict.json", "why", {}),
    ("status.json", "status", {}),
    ("health.json", "health", {}),
    ("health_history.json", "health_history", {}),
    ("backlog.json", "backlog", {}),
    ("queue.json", "queue_list", {"limit": "500"}),
    ("inventory.json", "inventory", {}),
    ("software.json", "software", {}),
    ("inspections.json", "inspections", {}),
    ("audit.json", "audit", {"limit": "500"}),
)
COLLECT_S = 3.0
#: All of them together: a terminal on its knees still gets a bundle of what is left.
ALL_S = 12.0
#: With what the program itself collects. A handler of the API has half a minute.
PACK_S = 24.0
#: One line to the program; its pipe takes four times as much.
MEMBER_BYTES = 1_000_000
#: Of a payment the bundle tells what state it is in, not whose card it was.
_NOT_OF_PAYMENTS = ("card", "result")


async def begin(ports: Ports, args: Nothing) -> BundleOut:
    """Make one."""
    del args
    if ports.bundling is None or ports.offload is None:
        raise OperatorError("bundle.failed", "no bundle can be made here", "posagent bundle")
    around = ports.bundling()
    now = ports.clock.now()
    try:
        bundle_id, path = around.shelf.place()
    except OSError as error:
        raise OperatorError(
            "bundle.failed",
            f"no place for a bundle: {(error.strerror or str(error)).lower()}",
            "posagent bundle FILE writes it elsewhere",
        ) from error
    device = re.sub(r"[^A-Za-z0-9_-]", "_", ports.identity.device_id)
    name = f"posagent-{device}-{now.at:%Y%m%dT%H%M%SZ}"
    first = {
        "begin": {
            "path": str(path), "folder": name, "made_ms": now.wall_ms,
            "max_bytes": around.max_bytes, "log_lines": around.log_lines, "root": around.root,
            "unit": around.unit, "folders": list(around.folders),
            "secret_files": list(around.secret_files),
            "about": {
                "made_at": now.at.isoformat(), "clock_trusted": now.trusted,
                "device_id": ports.identity.device_id, "tenant": ports.identity.tenant,
                "site": ports.identity.site, "agent_version": ports.identity.version,
                "daemon_alive": ports.daemon_alive, **around.facts,
            },
        }
    }  # fmt: skip
    made: dict[str, Any] | None = None
    async for line in ports.offload.run("bundle", _lines(ports, around, first), PACK_S):
        made = json.loads(line)
    if made is None:
        raise OperatorError("bundle.failed", "the bundle could not be made", "posagent bundle")
    log.info(
        "event=bundle_made bundle=%s size_bytes=%d failed=%d removed=%d actor=%s",
        bundle_id, made["size_bytes"], len(made["failed"]),
        made["removed_cards"] + made["removed_secrets"], ports.actor,
    )  # fmt: skip
    return BundleOut(
        bundle_id=bundle_id,
        file=f"{name}.tar.gz",
        made_at=now.at,
        size_bytes=made["size_bytes"],
        sha256=made["sha256"],
        pieces=-(-made["size_bytes"] // PIECE_BYTES),
        members=made["members"],
        failed=[BundleFailureOut(name=name, reason=why) for name, why in made["failed"].items()],
        removed_cards=made["removed_cards"],
        removed_secrets=made["removed_secrets"],
    )


async def piece(ports: Ports, args: BundlePieceArgs) -> BundlePieceOut:
    """Some bytes of one that is kept."""
    found = None
    if ports.bundling is not None:
        found = ports.bundling().shelf.piece(args.bundle_id, args.number)
    if found is None:
        raise RequestError("bundle.unknown", "no such bundle, or no such piece of it")
    return BundlePieceOut(data=base64.b64encode(found[0]).decode(), last=found[1])


async def _lines(ports: Ports, around: Surroundings, first: dict[str, Any]) -> AsyncIterator[bytes]:
    yield _line(first)
    clock = asyncio.get_running_loop().time
    ends = clock() + ALL_S
    for name, operation, query in COLLECTED:
        if operation not in BY_NAME:
            continue
        for_s = max(0.0, min(COLLECT_S, ends - clock()))
        try:
            async with asyncio.timeout(for_s):
                told = await _asked(ports, operation, query)
        except TimeoutError:
            yield _line({"name": name, "failed": f"not done within {for_s:.1f} s"})
            continue
        except AgentError as error:
            yield _line({"name": name, "failed": f"{error.code}: {error.what}"})
            continue
        document = json.loads(told)
        if operation == "why":
            for lang, lines in document.pop("text", {}).items():
                yield _line({"name": f"why.{lang}.txt", "text": "\n".join(lines) + "\n"})
        for payment in document.get("items", []) if operation == "queue_list" else ():
            for field in _NOT_OF_PAYMENTS:
                payment.pop(field, None)
        line = _line({"name": name, "json": document})
        if len(line) > MEMBER_BYTES:
            line = _line({"name": name, "failed": f"too large: {len(line)} bytes"})
        yield line
    yield _line({"name": "config.toml", "text": "\n".join(around.config) + "\n"})
    if around.log:
        text = "\n".join(around.log) + "\n"
        yield _line({"name": "agent.log", "text": text[-MEMBER_BYTES // 4 :]})


async def _asked(ports: Ports, operation: str, query: dict[str, str]) -> bytes:
    # Here, because the table names this file.
    from agent.actions.table import action

    arguments: Message = arguments_of(BY_NAME[operation], {}, query, b"")
    return encode(await action(operation)(ports, arguments))


def _line(told: dict[str, Any]) -> bytes:
    return json.dumps(told, ensure_ascii=True, separators=(",", ":")).encode()
