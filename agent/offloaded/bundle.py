"""Packs a support bundle: redacts every byte, keeps to its size, lists all of it with its hash.

In: one line that says where to and within which bounds, one line for each member the agent
collected, and what it could not collect. Out: one line about the finished file. The file appears
under its name once it is whole and on the disk. Last look: a member that still shows a card number
after redaction is left out.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from agent.core.money import cards
from agent.durable import sync_directory
from agent.offloaded.redacting import Redactor
from agent.offloaded.surroundings import NotToldError, collectors

#: The most useful first: what no longer fits is cut or left out from the end.
_ORDER = (
    "why.en.txt", "why.zh.txt", "verdict.json", "status.json", "health.json", "backlog.json",
    "config.toml", "software.json", "inventory.json", "inspections.json", "queue.json",
    "health_history.json", "audit.json", "machine.txt", "files.txt", "agent.log", "kernel.log",
    "journal.log",
)  # fmt: skip
#: A tar header and its padding, compressed, and what is written of a member in the manifest.
_HEADER_BYTES = 300
#: Text shorter than this is not worth being cut.
_LEAST_CHARS = 2_000
LEFT_OUT = "left out: the bundle is full"
CUT = "cut: only the end of it fits"
STILL_CARD = "left out: it still looked like a card number after redaction"


def answer(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The program."""
    packer: _Packer | None = None
    for line in lines:
        told = json.loads(line)
        if "begin" in told:
            packer = _Packer(told["begin"])
        elif packer is not None and "failed" in told:
            packer.failed[told["name"]] = told["failed"]
        elif packer is not None:
            packer.add(told)
    if packer is not None:
        yield json.dumps(packer.finished(), ensure_ascii=False).encode()


class _Packer:
    """One bundle being made."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self._asked = asked
        self._redactor = Redactor(Path(one) for one in asked["secret_files"])
        self._members: dict[str, str] = {}
        self.failed: dict[str, str] = {}

    def add(self, told: dict[str, Any]) -> None:
        """A member, redacted as it comes in."""
        if "json" in told:
            document = self._redactor.document(told["json"])
            text = json.dumps(document, ensure_ascii=False, indent=1) + "\n"
        else:
            text = self._redactor.text(told["text"])
        self._put(told["name"], text)

    def _put(self, name: str, text: str) -> None:
        if cards.contains(text):
            self.failed[name] = STILL_CARD
        else:
            self._members[name] = text

    def finished(self) -> dict[str, object]:
        """Collect what is ours to collect, fit, write."""
        asked = self._asked
        found = collectors(asked["root"], asked["unit"], asked["log_lines"], asked["folders"])
        for name, collect in found.items():
            try:
                self._put(name, self._redactor.text(collect()))
            except NotToldError as error:
                self.failed[name] = self._redactor.text(str(error))
        packed = self._fitted(asked["max_bytes"])
        whole = self._archive(packed)
        while len(whole) > asked["max_bytes"] and len(packed) > 1:
            name = max(packed, key=lambda one: len(packed[one]))
            del packed[name]
            self.failed[name] = LEFT_OUT
            whole = self._archive(packed)
        target = Path(asked["path"])
        _written(target, whole)
        return {
            "size_bytes": len(whole),
            "sha256": hashlib.sha256(whole).hexdigest(),
            "members": [*packed, "manifest.json"],
            "failed": self.failed,
            "removed_cards": self._redactor.cards,
            "removed_secrets": self._redactor.secrets,
        }

    def _fitted(self, max_bytes: int) -> dict[str, bytes]:
        """What fits, by the size it has when it is compressed."""
        rank = {name: at for at, name in enumerate(_ORDER)}
        left = max_bytes - _HEADER_BYTES * (len(self._members) + 4)
        packed: dict[str, bytes] = {}
        for name in sorted(self._members, key=lambda one: (rank.get(one, len(rank)), one)):
            text = self._members[name]
            size = _compressed(text)
            while size > left and name.endswith(".log") and len(text) > _LEAST_CHARS:
                # The end of a log is what was just now; begin at a line.
                text = text[len(text) // 2 :].partition("\n")[2]
                size = _compressed(text)
                self.failed[name] = CUT
            if size > left:
                self.failed[name] = LEFT_OUT
                continue
            left -= size
            packed[name] = text.encode("utf-8", "replace")
        return packed

    def _archive(self, packed: dict[str, bytes]) -> bytes:
        made_s = int(self._asked["made_ms"]) // 1000
        folder = self._asked["folder"]
        with_list = packed | {"manifest.json": self._manifest(packed)}
        raw = io.BytesIO()
        with (
            gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=6, mtime=made_s) as zipped,
            tarfile.open(fileobj=zipped, mode="w") as tar,
        ):
            for name, content in with_list.items():
                facts = tarfile.TarInfo(f"{folder}/{name}")
                facts.size, facts.mtime, facts.mode = len(content), made_s, 0o600
                tar.addfile(facts, io.BytesIO(content))
        return raw.getvalue()

    def _manifest(self, packed: dict[str, bytes]) -> bytes:
        about = {
            "format": "posagent-bundle-1",
            **self._redactor_free("about"),
            "members": [
                {
                    "name": name,
                    "size_bytes": len(content),
                    "sha256": hashlib.sha256(content).hexdigest(),
                }
                for name, content in packed.items()
            ],
            "failed": [{"name": name, "reason": why} for name, why in self.failed.items()],
            "removed": {"cards": self._redactor.cards, "secrets": self._redactor.secrets},
        }
        return (json.dumps(about, ensure_ascii=False, indent=1) + "\n").encode()

    def _redactor_free(self, name: str) -> dict[str, Any]:
        """Who and when, redacted without being counted: it is written several times."""
        counted = self._redactor.cards, self._redactor.secrets
        clean = self._redactor.document(self._asked[name])
        self._redactor.cards, self._redactor.secrets = counted
        return clean if isinstance(clean, dict) else {}


def _compressed(text: str) -> int:
    return len(zlib.compress(text.encode("utf-8", "replace"), 6))


def _written(target: Path, whole: bytes) -> None:
    """Whole and on the disk under its name, or not there. Raises OSError."""
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as out:
            out.write(whole)
            out.flush()
            os.fsync(out.fileno())
        part.rename(target)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    sync_directory(target.parent)
