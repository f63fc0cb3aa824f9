"""Versions of the agent that really differ, made from this one: copies with another number, a newer
journal, or a fault. What the rigs of updates install.

The newer journal (one schema above today's) is no additive one: payments have a column more, which
their MAC covers, so that an agent of today cannot read a single row of it.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

from agent import __version__
from agent.store.schema import SCHEMA
from tests.updates.vendor import signed

ROOT = Path(__file__).resolve().parents[2]
NEWER = SCHEMA + 1
#: Not on terminals. What is compiled comes along: its source keeps its time.
_LEFT_OUT = shutil.ignore_patterns("sim")

_UP = """-- The shift a payment was taken in.
ALTER TABLE tx ADD COLUMN shift TEXT;
CREATE TABLE shift (name TEXT PRIMARY KEY) WITHOUT ROWID;
INSERT INTO shift VALUES ('day');
"""
_DOWN = f"""-- refused while: SELECT count(*) FROM shift WHERE name = 'open' => open shifts
ALTER TABLE shift RENAME TO later_{NEWER}_shift;
ALTER TABLE tx DROP COLUMN shift;
"""
_CARRIED = f"""

def _to_{NEWER}(db, sealer):
    at = 23
    for row in db.execute("SELECT * FROM tx ORDER BY seq").fetchall():
        values = tuple(row)[:-1]
        before, mac, after = values[:at], values[at], values[at + 1 :]
        if hmac.compare_digest(sealer.whole(before, after), mac):
            mac = sealer.whole(before, ("day", *after))
        db.execute("UPDATE tx SET shift = 'day', mac = ? WHERE seq = ?", (mac, row["seq"]))


_CARRIED = {{**_CARRIED, {NEWER}: _to_{NEWER}}}
"""
_LOWERED = f"""

def _from_{NEWER}(db, sealer):
    import hmac

    at = 23
    for row in db.execute("SELECT * FROM tx ORDER BY seq").fetchall():
        *values, shift = tuple(row)
        before, mac, after = tuple(values[:at]), values[at], tuple(values[at + 1 :])
        if hmac.compare_digest(sealer.whole(before, (shift, *after)), mac):
            mac = sealer.whole(before, after)
        db.execute("UPDATE tx SET mac = ? WHERE seq = ?", (mac, row["seq"]))


_LOWERED = {{**_LOWERED, {NEWER}: _from_{NEWER}}}
"""


@dataclass(frozen=True, slots=True)
class Image:
    """A file as a vendor publishes it."""

    file: Path
    version: str
    sha256: str
    size_bytes: int


def laid_out(
    slot: Path, version: str = __version__, *, newer: bool = False, fault: str = ""
) -> None:
    """A whole agent in `slot`, started by its `bin/posagent`.

    `newer`: with the journal of tomorrow. `fault`: `dies` at every start, once the journal is open.
    """
    shutil.copytree(ROOT / "agent", slot / "agent", ignore=_LEFT_OUT)
    (slot / "bin").mkdir()
    program = slot / "bin/posagent"
    program.write_text(
        '#!/bin/sh\nset -eu\ncd "$(dirname "$(readlink -f "$0")")/.."\n'
        f'export PYTHONPATH="$PWD"\nexec {sys.executable} -m agent "$@"\n'
    )
    program.chmod(0o755)
    _changed(slot / "agent/__init__.py", f'"{__version__}"', f'"{version}"')
    if newer:
        _with_newer_journal(slot / "agent/store")
    if fault == "dies":
        start = "    await store.start()\n"
        died = (
            f"{start}    raise AgentError.__subclasses__()[0]('build.broken', 'a broken build')\n"
        )
        _changed(slot / "agent/main/__init__.py", start, died)


def image(file: Path, version: str, *, newer: bool = False, fault: str = "") -> Image:
    """The same as a file that can be unpacked into a slot, signed by its vendor."""
    scratch = file.with_suffix(".d")
    laid_out(scratch, version, newer=newer, fault=fault)
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        for name in ("agent", "bin"):
            tar.add(scratch / name, name)
    file.write_bytes(whole.getvalue())
    signed(file)
    shutil.rmtree(scratch)
    digest = hashlib.sha256(whole.getvalue()).hexdigest()
    return Image(file, version, digest, len(whole.getvalue()))


def _with_newer_journal(store: Path) -> None:
    (store / f"migrations/journal_{NEWER:04d}.sql").write_text(_UP)
    (store / f"migrations/journal_{NEWER:04d}.down.sql").write_text(_DOWN)
    _changed(store / "schema.py", f"SCHEMA = {SCHEMA}\n", f"SCHEMA = {NEWER}\n")
    queries, rows, marks = store / "queries.sql", store / "rows.py", "?,?,?,?,?,?\n)"
    _changed(queries, "card, app, business_fp, payload_fp\n)",
             "card, app, business_fp, payload_fp, shift\n)")  # fmt: skip
    long = "?," * 19
    _changed(queries, f" {long}{marks}", f" ?,{long}{marks}")
    _changed(rows, '"business_fp", "payload_fp",\n)', '"business_fp", "payload_fp", "shift",\n)')
    begins = "        digest = self._base.copy()\n        digest.update(_encode(fixed[:-2])"
    # Behind the fingerprints in the table, in front of everything in the MAC.
    turned = (
        "        if isinstance(fixed[-1], str):\n            fixed = (fixed[-1], *fixed[:-1])\n"
    )
    _changed(rows, begins, turned + begins)
    written = "after = (*_fixed_columns(record), *fingerprints"
    _changed(rows, f"{written})", f"{written}, 'day')")
    for file, text in ((store / "migrate.py", _CARRIED), (store / "stepdown.py", _LOWERED)):
        file.write_text(file.read_text("utf-8") + text, "utf-8")


def _changed(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert text.count(old) == 1, f"{file.name}: {old!r} stands there {text.count(old)} times"
    file.write_text(text.replace(old, new), "utf-8")
