"""What `posagent provision` does, step by step: identity, profile, keys, request, certificate.

Every step looks first and changes nothing that is right already, so that a run that was cut off is
simply run again. A file appears whole or not at all, in the hands of the agent's user. What would
change who this terminal is, is refused while money is unsent. Shows nothing; the words are the
caller's.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from agent import hardware
from agent.cli.deeds import person, written
from agent.cli.guard import asked as asked_guard
from agent.cli.reason import reason
from agent.cli.session import Session
from agent.cli.source import places
from agent.clock import SystemClock
from agent.config import Config
from agent.core.money.guarding import FORCED_FILE, Purpose, Standing, provisioned
from agent.errors import AgentError, OperatorError
from agent.settings import DEFAULT_FILE, load
from agent.settings.problems import ConfigError

IDENTITY, PROFILE, KEYS = "20-identity.toml", "40-profile.toml", "45-fleet-keys.toml"
CHILD_S = 60.0
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TENANT = re.compile(r"[A-Za-z0-9_-]{1,64}")
MAX_BYTES = 65_536


class UnsentError(AgentError):
    """Money is unsent, and what was asked would change who sent it: the exit code is REFUSED."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of one step."""

    step: str
    state: str  #: made, unchanged, waiting, laid_beside, not_asked
    facts: dict[str, Any]

    @property
    def plain(self) -> dict[str, Any]:
        return {"state": self.state, **self.facts}


class Ground:
    """This terminal's files, as the steps see them."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.file: Path = session.config_file or DEFAULT_FILE
        self.conf_d = self.file.parent / "conf.d"
        self.config: Config = load(self.file, references=False).config
        session.speak(self.config.agent.language)

    def again(self) -> None:
        """What was installed counts from now on."""
        self.config = load(self.file, references=False).config

    @property
    def state_dir(self) -> Path:
        return Path(self.config.agent.state_dir)

    def owner(self) -> list[int] | None:
        """Whose the key will be: the agent's user, who owns its state; None: ourselves."""
        if os.geteuid() != 0:
            return None
        try:
            seen = self.state_dir.stat()
        except FileNotFoundError:
            return None
        return [seen.st_uid, seen.st_gid]

    def refuse(self, word: str, **args: object) -> OperatorError:
        """`provision.WORD`, in the reader's language."""
        t = self.session.words
        return OperatorError(
            f"provision.{word}", t(f"provision.{word}", **args), t(f"provision.{word}.hint", **args)
        )

    def unsent(self) -> int:
        """How many payments are unsent, by the guard a removal asks. Raises UnsentError where
        nobody can tell: it counts as unsent then."""
        _, told = asked_guard(self.session, places(self.session), Purpose.REMOVAL)
        if told["standing"] == Standing.UNKNOWN:
            raise self.untold(told["reason"])
        return int(told["total"]["count"]) if told["total"] else 0

    def untold(self, why: str) -> UnsentError:
        """Nobody can tell, which counts as unsent."""
        t = self.session.words
        what = f"{t('provision.cannot_tell')} ({reason(t, why)})" if why else ""
        return UnsentError(
            "provision.cannot_tell", what or t("provision.cannot_tell"),
            t("provision.cannot_tell.hint"),
        )  # fmt: skip

    def noted(self, step: str, target: str) -> None:
        """For the trail, on disk before it is done. Raises OperatorError if it cannot be."""
        file = self.state_dir / FORCED_FILE
        if not self.state_dir.is_dir():
            return  # no agent ever ran here: there is no trail, and nothing to be told in it
        try:
            written(file, provisioned(person(), step, target))
        except OSError as error:
            raise self.refuse("not_kept", detail=f"{file}: {error.strerror or error}") from None

    def no_money(self, what: str, names: str = "") -> None:
        """Raises UnsentError while money is unsent; `what` of it would be changed."""
        if count := self.unsent():
            t = self.session.words
            told = t(f"provision.changes.{what}", names=names)
            raise UnsentError(
                "provision.unsent", t("provision.unsent", count=count, what=told),
                t("provision.unsent.hint"),
            )  # fmt: skip


# -- files -------------------------------------------------------------------------------------


def put(path: Path, content: bytes, mode: int, group: int | None) -> bool:
    """`path` holds exactly this; False: it did already. The key has its own way (`factory`)."""
    from agent.durable import sync_directory

    there = path.is_file() and not path.is_symlink() and path.stat().st_mode & 0o777 == mode
    if there and path.read_bytes() == content:
        return False
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")  # no .toml: never read in between
    part.unlink(missing_ok=True)
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "wb") as file:
        if group is not None:
            os.fchown(fd, 0, group)
        os.fchmod(fd, mode)
        file.write(content)
        file.flush()
        os.fsync(fd)
    part.replace(path)
    sync_directory(path.parent)
    return True


def _read(ground: Ground, file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise ground.refuse("file", file=file, why=(error.strerror or "").lower()) from error
    if len(content) > MAX_BYTES:
        raise ground.refuse("file", file=file, why=f"> {MAX_BYTES}")
    return content


def _tried(ground: Ground, name: str, content: bytes) -> Config:
    """The configuration as it would be with this file. Raises ConfigError naming its lines."""
    there = ground.conf_d / name
    if there.is_file() and there.read_bytes() == content:
        return ground.config  # it was read with it
    with tempfile.TemporaryDirectory(prefix="posagent-") as folder:
        copy = Path(folder) / ground.file.name
        if ground.file.exists():
            shutil.copyfile(ground.file, copy)
        else:
            copy.touch()
        (Path(folder) / "conf.d").mkdir()
        for one in sorted(ground.conf_d.glob("*.toml")):
            shutil.copyfile(one, Path(folder) / "conf.d" / one.name)
        (Path(folder) / "conf.d" / name).write_bytes(content)
        try:
            return load(copy, references=False).config
        except ConfigError as error:
            raise ConfigError(
                [replace(one, file=_real(ground, one.file, name)) for one in error.problems]
            ) from None


def _real(ground: Ground, file: Path | None, name: str) -> Path | None:
    if file is None or file.name == name:
        return ground.session.args.__dict__.get("profile_file") or (file and ground.conf_d / name)
    return ground.conf_d / file.name if file.parent.name == "conf.d" else ground.file


def _installed(ground: Ground, step: str, name: str, content: bytes, after: Config) -> Done:
    group = None if (owner := ground.owner()) is None else owner[1]
    file = ground.conf_d / name
    if not file.is_file() or file.read_bytes() != content:
        ground.noted(step, f"{after.agent.device_id} {sha256(content).hexdigest()[:16]}")
    changed = put(file, content, 0o640, group)
    ground.config = after
    return Done(
        step=step, state="made" if changed else "unchanged",
        facts={"file": str(file)},
    )  # fmt: skip


# -- the steps ---------------------------------------------------------------------------------


def told_serial(ground: Ground, given: str) -> str:
    """Given, else the firmware's word, else the machine's own."""
    if given:
        return given
    if (Path(ground.config.hooks.directory) / "identity").exists():
        import asyncio

        from agent.main.machine import serial

        if found := asyncio.run(serial(ground.config, SystemClock())):
            return found
    return hardware.number(ground.config.system.root)


def identity(  # noqa: PLR0917 - what an identity is made of
    ground: Ground, device_id: str, serial: str, prefix: str, tenant: str, site: str
) -> Done:
    """Who this terminal is, in a file of its own."""
    before = ground.config.agent
    if not device_id:
        found = told_serial(ground, serial)
        if not found and before.device_id and not serial:
            device_id = before.device_id
        elif not found:
            raise ground.refuse("no_serial")
        else:
            device_id = prefix + found
    if not _ID.fullmatch(device_id):
        raise ground.refuse("bad_id", id=device_id)
    tenant = tenant or before.tenant
    if not _TENANT.fullmatch(tenant):
        raise ground.refuse("bad_id", id=tenant)
    told = {"device_id": device_id, "tenant": tenant}
    if site or before.site:
        told["site"] = site or before.site
    lines = ["# posagent provision identity", "[agent]"]
    lines += [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in told.items()]
    content = ("\n".join(lines) + "\n").encode()
    whole = _tried(ground, IDENTITY, content)
    after = whole.agent
    if after.device_id != device_id:
        raise ground.refuse("overruled", id=after.device_id)
    if (after.device_id, after.tenant) != (before.device_id, before.tenant):
        ground.no_money("device_id")
    done = _installed(ground, "identity", IDENTITY, content, whole)
    return replace(done, facts={**done.facts, "device_id": device_id, "tenant": tenant})


def profile(ground: Ground, file: Path) -> Done:
    """The merchant's settings, as the daemon itself would read them."""
    content = _read(ground, file)
    after, before = _tried(ground, PROFILE, content), ground.config
    _same_terminal(ground, before, after)
    return _installed(ground, "profile", PROFILE, content, after)


def fleet_keys(ground: Ground, file: Path) -> Done:
    """Who may give this terminal orders from afar: `[[fleet_key]]` and nothing else."""
    content = _read(ground, file)
    after = _tried(ground, KEYS, content)
    if list(tomllib.loads(content.decode())) != ["fleet_key"]:
        raise ground.refuse("not_keys", file=file)
    done = _installed(ground, "keys", KEYS, content, after)
    return replace(done, facts={**done.facts, "keys": [one.id for one in after.fleet_key]})


def _same_terminal(ground: Ground, before: Config, after: Config) -> None:
    """Neither who this is, nor the way its unsent money goes."""
    if after.agent.state_dir != before.agent.state_dir:
        ground.no_money("state_dir")
    if after.store.key_file != before.store.key_file:
        ground.no_money("key_file")
    if (after.agent.device_id, after.agent.tenant) != (before.agent.device_id, before.agent.tenant):
        ground.no_money("device_id")
    gone = {one.name for one in before.uplink} - {one.name for one in after.uplink}
    if gone:
        ground.no_money("uplink", ", ".join(sorted(gone)))


def request(ground: Ground, out: Path | None) -> Done:
    """The request for a certificate; the key is made at most once and never leaves."""
    told = _pair(ground)
    if out is not None and out.exists():
        told["csr"] = _read(ground, out).decode("ascii", "replace")
    answer = asked(ground, "prepare", told)
    if answer["state"] == "in_force":
        return Done(step="request", state="unchanged", facts={"in_force": True})
    facts: dict[str, Any] = {"in_force": False}
    if out is None:
        facts["csr"] = answer["csr"]
    else:
        put(out, answer["csr"].encode(), 0o644, None)
        facts["csr_file"] = str(out)
    state = "unchanged" if answer["state"] == "unchanged" else "made"
    return Done(step="request", state=state, facts=facts)


def install(ground: Ground, certificate: Path, ca: Path | None) -> Done:
    """The certificate, checked against key, chain, name and clock."""
    told = _pair(ground)
    told["chain"] = _read(ground, certificate).decode("ascii", "replace")
    if ca is not None:
        told["ca"] = _read(ground, ca).decode("ascii", "replace")
    answer = asked(ground, "install", told)
    return Done(
        step="install", state=answer["state"],
        facts={"expires_ts": answer["expires_ts"], "file": told["cert_file"]},
    )  # fmt: skip


def _pair(ground: Ground) -> dict[str, Any]:
    """What the child is told; where the pair lies says the configuration."""
    agent, files = ground.config.agent, ground.config.telemetry
    if not agent.device_id:
        raise ground.refuse("no_identity")
    if not (files.cert_file and files.key_file and files.ca_file):
        raise ground.refuse("no_files")
    _folder(Path(files.key_file).parent, ground.owner())
    moment = SystemClock().now()
    return {
        "tenant": agent.tenant, "device_id": agent.device_id, "owner": ground.owner(),
        "cert_file": files.cert_file, "key_file": files.key_file, "ca_file": files.ca_file,
        "now_ms": time.time_ns() // 1_000_000 if moment.trusted else None,
    }  # fmt: skip


def _folder(place: Path, owner: list[int] | None) -> None:
    """Where the pair will lie: the agent's user must get at it. Whole or not at all."""
    if place.exists():
        return
    place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    begun = place.with_name(place.name + ".new")
    begun.mkdir(mode=0o750, exist_ok=True)
    if owner is not None:
        os.chown(begun, *owner)
    begun.rename(place)


def asked(ground: Ground, what: str, told: dict[str, Any]) -> dict[str, Any]:
    """What the child made of it. Raises OperatorError with the reason."""
    import importlib.util

    if importlib.util.find_spec("cryptography") is None:
        raise ground.refuse("no_extra")
    try:
        answer = child(what, told)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise ground.refuse("child_failed", error=type(error).__name__) from None
    if problem := answer.get("problem"):
        detail = str(answer.get("detail") or "")
        raise ground.refuse(
            str(problem),
            detail=detail, id=told["device_id"], file=told["key_file"], ca=told["ca_file"],
        )  # fmt: skip
    return answer


def child(what: str, told: dict[str, Any]) -> dict[str, Any]:
    """The only program that sees the key: told on its stdin, never in argv or environment."""
    from agent.offload import HOME

    # Where a person stands may be anybody's stick, and `-m` looks there first.
    alone = ["-I"] if sys.flags.isolated else []
    done = subprocess.run(
        [sys.executable, *alone, "-m", "agent.provision.factory", what], cwd=HOME,
        input=json.dumps(told).encode(), capture_output=True, timeout=CHILD_S, check=False,
    )  # fmt: skip
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
