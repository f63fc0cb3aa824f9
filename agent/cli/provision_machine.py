"""`posagent provision adopt|seal|status`: other hardware, an image to be taken, how far it is.

Both change the store with no daemon running and under its lock. Nothing is lost: what is set aside
lies in quarantine/ and counts as unsent until somebody looked; what is sealed was final. Cut off
anywhere, the same order goes on where it stopped.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from agent import hardware
from agent.cli.as_owner import as_owner
from agent.cli.provision_steps import IDENTITY, KEYS, PROFILE, Done, Ground, identity, told_serial
from agent.clock import SystemClock
from agent.core.money.guarding import FORCED_FILE
from agent.core.terminal.hardware import ELSEWHERE, Verdict
from agent.durable import replaced, sync_directory
from agent.identity import MACHINE_ID, own_name

#: What `--fresh` has begun; holds where the journal goes and who this terminal was.
_BEGUN = "fresh"
_PLACE = re.compile(r"\d{13}-[0-9a-f]{6}-journal\.db")
_KEYS = ("row.key", "payload.keys", "payload.keys.copy")
_STAYS = frozenset({"lock", "quarantine", FORCED_FILE, _BEGUN})


def adopt(ground: Ground, *, fresh: bool, ids: dict[str, str]) -> Done:
    """A technician's decision about a store that was begun on other hardware."""
    directory = ground.state_dir
    marks = hardware.marks(ground.config.system.root, _hook_serial(ground))
    if not (directory / _BEGUN).exists():
        found = hardware.seen(directory, marks) if directory.is_dir() else None
        if found is None or found.verdict not in ELSEWHERE:
            verdict = Verdict.UNKNOWN if found is None else found.verdict
            if verdict is Verdict.UNKNOWN and found is not None:
                raise ground.refuse("hardware_unknown")
            return Done(step="adopt", state="unchanged", facts={"hardware": verdict.value})
    elif not fresh:
        # Half of the store lies aside; left so, a later --fresh would take a live one away.
        raise ground.refuse("fresh_begun")
    with _locked(directory):
        if not fresh:
            ground.noted("adopt", "replace")
            with as_owner(directory):
                hardware.adopt(directory, marks)
            return Done(step="adopt", state="made", facts={"decided": "replace"})
        return _fresh(ground, ids)


def _hook_serial(ground: Ground) -> str:
    if not (Path(ground.config.hooks.directory) / "identity").exists():
        return ""
    return told_serial(ground, "")


def _fresh(ground: Ground, ids: dict[str, str]) -> Done:
    """Another terminal from now on: the store set aside, keys removed, a name of its own."""
    from agent.store import quarantine
    from agent.store.opening import JOURNAL

    directory = ground.state_dir
    begun = directory / _BEGUN
    if not begun.exists():
        was = own_name(ground.config)
        _other_name(ground, was, ids)
        with as_owner(directory):
            place = quarantine.named(directory / JOURNAL, SystemClock().now())
            replaced(begun, json.dumps({"was": was, "place": str(place)}).encode())
    with as_owner(directory):
        told = json.loads(begun.read_bytes())
        place = _begun_place(directory, told["place"])
    _other_name(ground, told["was"], ids)
    removed = _remove_pair(ground)
    place = _set_aside(directory, place)
    done = _named(ground, ids)
    (directory / hardware.FILE).unlink(missing_ok=True)
    ground.noted("adopt", f"fresh: {told['was']}, its money aside in {place.name}")
    begun.unlink()
    sync_directory(directory)
    facts = {"decided": "fresh", "was": told["was"], "aside": str(place), "removed": removed}
    return Done(step="adopt", state="made", facts={**done.facts, **facts})


def _wanted(ground: Ground, ids: dict[str, str]) -> str:
    if ids["device_id"]:
        return ids["device_id"]
    return ids["prefix"] + told_serial(ground, ids["serial"])


def _other_name(ground: Ground, was: str, ids: dict[str, str]) -> None:
    """Two terminals with one name is what this is to end."""
    wanted = _wanted(ground, ids)
    if not wanted:
        raise ground.refuse("no_serial")
    if wanted == was:
        raise ground.refuse("same_id", id=wanted)


def _named(ground: Ground, ids: dict[str, str]) -> Done:
    # Its money lies aside by now, and counts there: who it was has no claim on the new name.
    unguarded = _Unguarded(ground)
    done = identity(unguarded, _wanted(ground, ids), "", "", ids["tenant"], ids["site"])
    ground.config = unguarded.config
    return done


class _Unguarded(Ground):
    """The same terminal, its money set aside."""

    def __init__(self, ground: Ground) -> None:
        self.__dict__.update(ground.__dict__)

    def no_money(self, what: str, names: str = "") -> None:
        """It was set aside."""


def _begun_place(directory: Path, told: object) -> Path:
    """Where it was going; a place of its own where the note names none of ours."""
    from agent.store import quarantine
    from agent.store.opening import JOURNAL

    place = Path(str(told))
    if place.parent == directory / "quarantine" and _PLACE.fullmatch(place.name):
        return place
    return quarantine.named(directory / JOURNAL, SystemClock().now())


def _set_aside(directory: Path, place: Path) -> Path:
    """Where it lies now."""
    with as_owner(directory):
        return _renamed(directory, place)


def _renamed(directory: Path, place: Path) -> Path:
    """The journal first and under its own name; then its keys; the rest in a folder beside it."""
    if any(there.exists() and target.exists() for there, target in _pairs(directory, place)):
        place = _another(directory, place)
    rest = place.with_name(place.name + ".rest")
    rest.mkdir(mode=0o700, parents=True, exist_ok=True)
    pairs = _pairs(directory, place)
    stays = {there.name for there, _ in pairs} | _STAYS | {hardware.FILE}
    others = sorted(one for one in directory.iterdir() if one.name not in stays)
    for there, target in [*pairs, *((one, rest / one.name) for one in others)]:
        if there.exists():
            there.rename(target)
    sync_directory(place.parent)
    sync_directory(directory)
    return place


def _pairs(directory: Path, place: Path) -> list[tuple[Path, Path]]:
    names = {"journal.db": "", "journal.db-wal": "-wal"} | {one: f".{one}" for one in _KEYS}
    return [(directory / one, place.with_name(place.name + end)) for one, end in names.items()]


def _another(directory: Path, place: Path) -> Path:
    """Cut off before, and an agent has started since: what it took lies beside the first journal,
    not over it. Where the power went before the keys had followed, both need them."""
    from agent.store import quarantine
    from agent.store.opening import JOURNAL

    for there, target in _pairs(directory, place):
        if there.name in _KEYS and there.exists() and not target.exists():
            replaced(target, there.read_bytes())
    return quarantine.named(directory / JOURNAL, SystemClock().now())


def _remove_pair(ground: Ground) -> list[str]:
    """Certificate and key of the terminal this was a copy of."""
    removed = []
    for file in _pair_files(ground):
        file.unlink()
        sync_directory(file.parent)
        removed.append(str(file))
    return removed


def _pair_files(ground: Ground) -> list[Path]:
    files = ground.config.telemetry
    suffixes = ("", ".pending", ".new", ".part")
    named = [one for one in (files.cert_file, files.key_file) if one]
    return [file for one in named for suffix in suffixes if (file := Path(one + suffix)).exists()]


def seal(ground: Ground) -> Done:
    """Ready for an image to be taken: no identity, no key, no store."""
    directory, identity_file = ground.state_dir, ground.conf_d / IDENTITY
    before = _as_written(directory)
    ground.no_money("store")
    with _locked(directory):
        if _as_written(directory) != before:
            raise ground.untold("")  # an agent ran since: who knows what it took
        pair = _pair_files(ground)
        inside = sorted(_inside(directory, pair), key=_sealing_order)
        if inside or pair or identity_file.exists():
            # In place of what older lines stand there: they tell of the terminal that was here.
            (directory / FORCED_FILE).unlink(missing_ok=True)
            ground.noted("seal", own_name(ground.config))
        removed = _remove_pair(ground)
        for one in inside:
            _deleted(one)
            removed.append(str(one))
        if inside:
            sync_directory(directory)
        if identity_file.exists():
            identity_file.unlink()
            sync_directory(ground.conf_d)
            removed.append(str(identity_file))
    ground.again()
    state = "made" if removed else "unchanged"
    return Done(step="seal", state=state, facts={"removed": removed, "left": _left(ground)})


def _as_written(directory: Path) -> list[tuple[str, int, int, int]]:
    """Every journal as it lies there: whatever was taken or put aside since is seen."""
    found = [*directory.glob("journal.db*"), *(directory / "quarantine").glob("*")]
    seen = ((str(one), one.lstat()) for one in sorted(found))
    return [(name, one.st_ino, one.st_size, one.st_mtime_ns) for name, one in seen]


def _inside(directory: Path, besides: list[Path]) -> list[Path]:
    stays = {directory / "lock", directory / FORCED_FILE, *besides}
    return [one for one in directory.glob("*") if one not in stays]


def _sealing_order(one: Path) -> tuple[int, str]:
    """The journal, with all the guard reads it by, goes last: cut off before, it says again that
    nothing is unsent; cut off after, there is none."""
    last = ("journal.db-wal", "journal.db", "row.key", "payload.keys", "payload.keys.copy")
    return (last.index(one.name) + 1 if one.name in last else 0, one.name)


def _left(ground: Ground) -> list[str]:
    """What else tells one terminal from another and is not ours to remove."""
    left = []
    if ground.config.agent.device_id:
        left.append("agent.device_id")
    with suppress(OSError):  # none: systemd makes one at the first start
        if MACHINE_ID.read_text("ascii").strip() not in ("", "uninitialized"):
            left.append(str(MACHINE_ID))
    for one in ground.config.uplink:
        key_file = getattr(one, "key_file", "")
        if key_file and Path(key_file).exists():
            left.append(key_file)
    return left


def _deleted(one: Path) -> None:
    if one.is_dir() and not one.is_symlink():
        shutil.rmtree(one)
    else:
        one.unlink()


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Raises StoreError `store.busy` while a daemon runs."""
    from agent.store.files import LockFile

    if not directory.is_dir():
        yield
        return
    with LockFile(directory / "lock") as lock:
        with as_owner(directory):
            lock.acquire("provision")
        yield


def status(ground: Ground) -> dict[str, Any]:
    """How far this terminal is set up; looks, and asks nobody."""
    agent = ground.config.agent
    marks = hardware.marks(ground.config.system.root, _hook_serial(ground))
    found = hardware.seen(ground.state_dir, marks)
    verdict = "new" if found is None else found.verdict.value
    certificate = _certificate(ground)
    steps = {
        "identity": "made" if agent.device_id else "missing",
        "profile": "made" if (ground.conf_d / PROFILE).exists() else "missing",
        "keys": "made" if (ground.conf_d / KEYS).exists() else "missing",
        "certificate": certificate["state"],
    }
    ready = bool(agent.device_id) and certificate["state"] in ("in_force", "not_asked")
    return {
        "device_id": agent.device_id, "tenant": agent.tenant, "site": agent.site,
        "steps": steps, "certificate": certificate, "hardware": verdict,
        "complete": ready and verdict not in ELSEWHERE,
    }  # fmt: skip


def _certificate(ground: Ground) -> dict[str, Any]:
    from agent.link.x509 import in_pem

    files = ground.config.telemetry
    if not files.key_file:
        return {"state": "not_asked"}
    told: dict[str, Any] = {}
    try:
        found = in_pem(Path(files.cert_file).read_bytes())
    except (OSError, ValueError):
        found = []
    if found and Path(files.key_file).exists():
        told["expires_at"] = found[0].expires_at.isoformat(timespec="seconds")
        late = SystemClock().now().trusted and found[0].expires_at.timestamp() <= time.time()
        return {"state": "expired" if late else "in_force", **told}
    waiting = Path(files.key_file + ".pending").exists()
    return {"state": "requested" if waiting else "missing"}
