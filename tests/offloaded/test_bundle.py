"""The program that packs a bundle: keeps to its size, lists and hashes all, never raises a card."""

from __future__ import annotations

import hashlib
import io
import json
import random
import tarfile
from pathlib import Path
from typing import Any

from agent.bundles import PIECE_BYTES, Shelf
from agent.offloaded.bundle import CUT, LEFT_OUT, answer


def packed(tmp_path: Path, *members: dict[str, Any], max_bytes: int = 65_536, **more: Any) -> Any:
    """What the program answers, and the members by name."""
    path = tmp_path / "b.tar.gz"
    begin = {
        "path": str(path), "folder": "f", "made_ms": 1_795_000_000_000, "max_bytes": max_bytes,
        "log_lines": 10, "root": str(tmp_path / "root"), "unit": "posagent",
        "folders": [str(tmp_path)], "secret_files": [], "about": {"device_id": "d"}, **more,
    }  # fmt: skip
    lines = [json.dumps({"begin": begin}).encode(), *(json.dumps(one).encode() for one in members)]
    (told,) = answer(lines)
    raw = path.read_bytes()
    document = json.loads(told)
    assert document["size_bytes"] == len(raw) <= max_bytes
    assert document["sha256"] == hashlib.sha256(raw).hexdigest()
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        found = {one.name.removeprefix("f/"): tar.extractfile(one).read() for one in tar}  # type: ignore[union-attr]
    return document, found


def noise(size: int) -> str:
    """Text that cannot be compressed much."""
    draw = random.Random(7)
    return "\n".join("".join(draw.choices("ghijklmnopqrstuvwxyz", k=60)) for _ in range(size // 61))


def test_too_much_is_cut_from_the_least_useful_and_said(tmp_path: Path) -> None:
    """Logs keep their end; what does not fit at all is left out; the verdict is always there."""
    document, found = packed(
        tmp_path,
        {"name": "agent.log", "text": noise(300_000) + "\nthe last line\n"},
        {"name": "inspections.json", "json": {"text": noise(300_000)}},
        {"name": "why.en.txt", "text": "because\n"},
        {"name": "audit.json", "failed": "not done within 3 s"},
    )
    assert found["why.en.txt"] == b"because\n"
    assert found["agent.log"].endswith(b"the last line\n")
    assert "inspections.json" not in found
    failed = document["failed"]
    assert (failed["agent.log"], failed["inspections.json"]) == (CUT, LEFT_OUT)
    assert failed["audit.json"] == "not done within 3 s"
    manifest = json.loads(found["manifest.json"])
    assert {one["name"] for one in manifest["failed"]} == set(failed)


def test_a_bundle_is_made_of_nothing_too(tmp_path: Path) -> None:
    """What the machine does not tell is named."""
    document, found = packed(tmp_path)
    assert {"journal.log", "kernel.log"} <= set(document["failed"])
    assert b"not told" in found["machine.txt"]
    assert list(answer([])) == []


def test_the_newest_few_are_kept_and_nothing_else_is_handed_out(tmp_path: Path) -> None:
    """By id only; half-written ones go with the next."""
    shelf = Shelf(tmp_path / "bundles", keep=2)
    ids = []
    for number in range(3):
        bundle_id, path = shelf.place()
        path.write_bytes(bytes([number]) * (PIECE_BYTES + 1))
        path.with_name(path.name + ".part").touch()
        ids.append(bundle_id)
    shelf.place()
    assert len(list((tmp_path / "bundles").iterdir())) == 1
    first = shelf.piece(ids[2], 0)
    assert first is not None
    assert (len(first[0]), first[1]) == (PIECE_BYTES, False)
    assert shelf.piece(ids[2], 1) == (b"\x02", True)
    assert shelf.piece(ids[2], 2) is None
    assert shelf.piece(ids[0], 0) is None
    (tmp_path / "x.tar.gz").touch()
    assert shelf.piece("../x", 0) is None
