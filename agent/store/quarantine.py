"""The folder of what was put aside: damaged journals and logs, byte for byte as they were found.

Decides how files get there so that a power cut between two steps loses nothing and the next start
finishes the work. It repairs nothing, deletes nothing and counts nothing.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable
from pathlib import Path

from agent.core.moment import Moment
from agent.durable import sync_directory

FOLDER = "quarantine"
LOG = "-wal"


def put_aside(journal: Path, now: Moment) -> Path:
    """Rename a closed journal and its log into the folder, untouched."""
    folder, name = _place(journal, now)
    # The database first: a log without it is recognised by `finish`, while a database without its
    # log would open as if nothing were missing.
    for suffix in ("", LOG):
        source = _beside(journal, suffix)
        if source.exists():
            source.rename(folder / (name + suffix))
    _sync(journal, folder)
    return folder / name


def named(journal: Path, now: Moment) -> Path:
    """A place in the folder for a journal that will be put there later."""
    folder, name = _place(journal, now)
    return folder / name


def keep_log(journal: Path, now: Moment) -> Path:
    """Copy a broken log into the folder before SQLite drops what lies behind the break."""
    log = _beside(journal, LOG)
    # An opening that is refused is tried again every few seconds: one copy is enough.
    import filecmp  # damage is rare, and these bring the archive formats along (0.8 MB)
    import shutil

    for file in _folder(journal).glob(f"*-{journal.name}{LOG}"):
        if filecmp.cmp(file, log, shallow=False):
            return file
    folder, name = _place(journal, now)
    kept = folder / (name + LOG)
    with log.open("rb") as source, kept.open("xb") as target:
        shutil.copyfileobj(source, target)
        target.flush()
        os.fsync(target.fileno())
    _sync(journal, folder)
    return kept


def finish(journal: Path, now: Moment) -> None:
    """A log left alone beside a database that is already in the folder follows it there."""
    log = _beside(journal, LOG)
    if journal.exists() or not log.exists() or not log.stat().st_size:
        return
    folder, name = _place(journal, now)
    alone = [file for file in journals(journal) if not _beside(file, LOG).exists()]
    log.rename(_beside(alone[-1], LOG) if alone else folder / (name + LOG))
    _sync(journal, folder)


def journals(journal: Path) -> list[Path]:
    """The databases in the folder, oldest first."""
    return sorted(_folder(journal).glob(f"*-{journal.name}"))


def unlisted(journal: Path, listed: Iterable[str]) -> list[Path]:
    """What nobody wrote down: the power went between renaming and the new journal, or a log was
    found whose database is nowhere."""
    known = {Path(path).name for path in listed}
    logs = sorted(_folder(journal).glob(f"*-{journal.name}{LOG}"))
    alone = [log for log in logs if not log.with_name(log.name.removesuffix(LOG)).exists()]
    return [file for file in [*journals(journal), *alone] if file.name not in known]


def _place(journal: Path, now: Moment) -> tuple[Path, str]:
    folder = _folder(journal)
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder, f"{now.wall_ms:013d}-{uuid.uuid4().hex[:6]}-{journal.name}"


def _folder(journal: Path) -> Path:
    return journal.parent / FOLDER


def _beside(file: Path, suffix: str) -> Path:
    return file.with_name(file.name + suffix)


def _sync(journal: Path, folder: Path) -> None:
    sync_directory(folder)
    sync_directory(journal.parent)
