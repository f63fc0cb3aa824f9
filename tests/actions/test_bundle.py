"""What goes into a bundle is collected one by one: what fails or hangs keeps nothing else out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterable, AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent.actions import bundle
from agent.actions.ports import Identity, Ports
from agent.bundles import PIECE_BYTES, Shelf, Surroundings
from agent.errors import OperatorError, StoreError
from agent.wire.api import Nothing
from agent.wire.bundle import BundlePieceArgs
from agent.wire.problem import RequestError
from tests.fakes import FakeClock

MADE = {
    "size_bytes": PIECE_BYTES + 1, "sha256": "ab", "members": ["status.json"],
    "failed": {"kernel.log": "no"}, "removed_cards": 1, "removed_secrets": 2,
}  # fmt: skip


class Packer:
    """The program, as far as it is told here."""

    def __init__(self) -> None:
        self.told: dict[str, Any] = {}

    async def run(
        self, program: str, lines: AsyncIterable[bytes], deadline_s: float
    ) -> AsyncIterator[bytes]:
        assert (program, deadline_s) == ("bundle", bundle.PACK_S)
        async for line in lines:
            one = json.loads(line)
            self.told[one.get("name", "begin")] = one
        yield json.dumps(MADE).encode()


def ports_of(folder: Path, packer: Packer) -> Ports:
    around = Surroundings(
        shelf=Shelf(folder / "bundles", 2), max_bytes=65_536, log_lines=10, root="", unit="p",
        folders=[], secret_files=["/k"], config=["[agent]"], log=["a line"], facts={"x": "y"},
    )  # fmt: skip
    return Ports(
        journal=SimpleNamespace(), mover=None, health=SimpleNamespace(), channels=None,
        identity=Identity(device_id="d/1", tenant="", site="", version="1"),
        clock=FakeClock(), offload=packer, bundling=lambda: around,
    )  # type: ignore[arg-type]  # fmt: skip


def test_what_fails_or_hangs_keeps_nothing_else_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is named with its reason; payments lose their cards; the rest goes in."""

    async def asked(_ports: Ports, operation: str, _query: dict[str, str]) -> bytes:
        match operation:
            case "health":
                await asyncio.Event().wait()
            case "backlog":
                raise StoreError("store.unavailable", "broken")
            case "queue_list":
                return json.dumps({"items": [{"key": "k", "card": "c", "result": 1}]}).encode()
            case "audit":
                return json.dumps({"x": "y" * bundle.MEMBER_BYTES}).encode()
            case "why":
                return json.dumps({"text": {"en": ["because"]}}).encode()
        return b'{"ok":true}'

    monkeypatch.setattr(bundle, "_asked", asked)
    monkeypatch.setattr(bundle, "COLLECT_S", 0.01)
    packer = Packer()
    made = asyncio.run(bundle.begin(ports_of(tmp_path, packer), Nothing()))
    told = packer.told
    assert "not done within" in told["health.json"]["failed"]
    assert told["backlog.json"]["failed"] == "store.unavailable: broken"
    assert "too large" in told["audit.json"]["failed"]
    assert told["queue.json"]["json"] == {"items": [{"key": "k"}]}
    assert told["why.en.txt"]["text"] == "because\n"
    assert told["status.json"]["json"] == {"ok": True}
    assert (told["config.toml"]["text"], told["agent.log"]["text"]) == ("[agent]\n", "a line\n")
    assert told["begin"]["begin"]["about"]["x"] == "y"
    assert (made.pieces, made.removed_cards, made.failed[0].reason) == (2, 1, "no")
    assert made.file.startswith("posagent-d_1-")


def test_where_none_can_be_made_it_is_said(tmp_path: Path) -> None:
    """Without a program, without a place, without such a piece."""
    ports = ports_of(tmp_path / "absent", Packer())
    with pytest.raises(OperatorError, match="no place"):
        asyncio.run(bundle.begin(ports, Nothing()))
    with pytest.raises(RequestError):
        asyncio.run(bundle.piece(ports, BundlePieceArgs(bundle_id="0" * 16, number=0)))
