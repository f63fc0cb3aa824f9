"""The checks of an inspection beside the watchers: stored payments, hosts, certificates, files.

Each looks at one thing afresh and says what it saw; nothing is changed, nothing is sent to a host
beyond opening a connection. Loaded when an inspection begins.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import stat
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from agent.blocking import Blocking
from agent.clock import Clock
from agent.config import AnyUplink, Config, Uplink
from agent.core.health.reading import NotFitted, Outcome, Reading, Unknown, Value
from agent.core.health.tracker import ComponentState
from agent.core.inspection.report import Looked, Trigger
from agent.link.dial import DialError
from agent.link.tls import peer_days_left
from agent.link.x509 import Certificate, in_pem
from agent.record import dataclass
from agent.watch.inspection.running import Examined

#: What the runner adds to a watcher's own deadline.
GRACE_S = 1.0
#: How long stored payments are gone through; the daily sweep goes through all of them.
STORE_S = 3.0
STORE_DEADLINE_S = 15.0
FILES_DEADLINE_S = 5.0
FLEET_DEADLINE_S = 2.0
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_OTHERS_READ = stat.S_IRGRP | stat.S_IROTH


class Health(Protocol):
    """The watchers, by component."""

    def watched(self) -> Mapping[str, float]:
        """The components, each with the seconds one read may take."""
        ...

    async def ask(self, component: str) -> ComponentState | None: ...


class Verified(Protocol):
    """What was gone through of what is stored."""

    @property
    def permille(self) -> int: ...
    @property
    def checked(self) -> Mapping[str, int]: ...
    @property
    def found(self) -> Mapping[str, int]: ...


class Facts(Protocol):
    """What start-up found out about the journal."""

    @property
    def clean_start(self) -> bool: ...
    @property
    def damage(self) -> str: ...


class Telemetry(Protocol):
    """The way to the fleet's broker."""

    @property
    def configured(self) -> bool: ...
    @property
    def connected(self) -> bool: ...
    @property
    def endpoint(self) -> str: ...
    @property
    def queued(self) -> int: ...
    @property
    def last_error(self) -> str: ...
    @property
    def last_reason(self) -> str: ...


class Dial(Protocol):
    """Opens connections; `agent.link.dial.Dialer` is one."""

    async def open(
        self, host: str, port: int, tls: ssl.SSLContext | None, timeout_s: float
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything an inspection asks."""

    config: Config
    clock: Clock
    blocking: Blocking
    dial: Dial
    trust: Callable[[str, str, str], ssl.SSLContext]
    health: Health
    verify: Callable[[str, float], Awaitable[Verified]]
    facts: Callable[[], Awaitable[Facts]]
    telemetry: Callable[[], Telemetry]


def checks(world: World, trigger: Trigger) -> list[Examined]:
    """Everything there is to check, in the order of a report.

    Hosts are dialled only for a person: the scheduled inspection takes the network watcher's word,
    which keeps to its budget of bytes.
    """
    watched = [
        Examined(
            name=component, look=partial(_watcher, world, component), deadline_s=limit_s + GRACE_S
        )
        for component, limit_s in world.health.watched().items()
        if component != "inspection"
    ]
    own = [
        Examined(name="store", look=partial(_store, world), deadline_s=STORE_DEADLINE_S),
        Examined(
            name="certificates", look=partial(_certificates, world), deadline_s=FILES_DEADLINE_S
        ),
        Examined(name="files", look=partial(_files, world), deadline_s=FILES_DEADLINE_S),
        Examined(name="fleet", look=partial(_fleet, world), deadline_s=FLEET_DEADLINE_S),
    ]
    hosts = [
        Examined(
            name=f"reach:{one.name}",
            look=partial(_reach, world, one),
            deadline_s=one.connect_timeout_s + GRACE_S,
        )
        for one in world.config.uplink
        if trigger is Trigger.ASKED
    ]
    return [*watched, *hosts, *own]


async def _watcher(world: World, component: str) -> Looked:
    state = await world.health.ask(component)
    if state is None:
        return Looked(Unknown("it has not been read yet"))
    return Looked(state.outcome)


async def _store(world: World) -> Looked:
    facts = await world.facts()
    done = await world.verify("", STORE_S)
    values: dict[str, Value] = {
        "clean_start": facts.clean_start,
        "checked_percent": done.permille // 10,
        **{f"checked_{what}": count for what, count in done.checked.items()},
        **{f"found_{what}": count for what, count in done.found.items()},
    }
    if facts.damage:
        values["reason"] = facts.damage
    bad = bool(facts.damage) or any(done.found.values())
    return Looked(Reading(values), ("software.data_error",) if bad else ())


async def _reach(world: World, profile: AnyUplink) -> Looked:
    host, port, tls = _where(profile)
    context = world.trust(profile.ca_file, profile.cert_file, profile.key_file) if tls else None
    values: dict[str, Value] = {"host": f"{host}:{port}"}
    began_ms = world.clock.now().boot_ms
    try:
        _, writer = await world.dial.open(host, port, context, profile.connect_timeout_s)
    except DialError as error:
        values |= {"layer": error.layer, "reason": error.what, f"{error.layer}_reason": error.what}
        return Looked(Reading(values), (error.code,) if error.code else ())
    try:
        now = world.clock.now()
        values["connect_ms"] = now.boot_ms - began_ms
        days = peer_days_left(writer, now.at)
        if days is not None:
            values["certificate_days"] = int(days)
        limit = world.config.connectivity.certificate_warn_days
        late = days is not None and now.trusted and days < limit
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    return Looked(Reading(values), ("tls.certificate_expiring",) if late else ())


def _where(profile: AnyUplink) -> tuple[str, int, bool]:
    if not isinstance(profile, Uplink):
        return profile.host, profile.port, profile.tls
    parts = urlsplit(profile.url)
    tls = parts.scheme == "https"
    return parts.hostname or "", parts.port or (443 if tls else 80), tls


# -- certificates on this terminal -----------------------------------------------------------


async def _certificates(world: World) -> Looked:
    named = list(_certificate_files(world.config))
    if not named:
        return Looked(NotFitted())
    now = world.clock.now()
    return await world.blocking.call(
        "inspection.certificates",
        partial(_expiring, named, now.at, world.config.connectivity.certificate_warn_days),
        FILES_DEADLINE_S,
    )


def _certificate_files(config: Config) -> Iterator[tuple[str, bool]]:
    """Files with certificates, and whether it is this terminal's own."""
    seen: set[str] = set()
    for one in (*config.uplink, config.telemetry):
        for file, own in ((one.cert_file, True), (one.ca_file, False)):
            if file and file not in seen:
                seen.add(file)
                yield file, own


def _expiring(named: Sequence[tuple[str, bool]], now: datetime, warn_days: int) -> Looked:
    """What ends first, of our own and of the authorities; of several authorities in one file the
    one that ends last counts, because any of them will do."""
    shown: tuple[Certificate, bool, str] | None = None
    codes: list[str] = []
    for file, own in named:
        try:
            found = in_pem(Path(file).read_bytes())
        except OSError as error:
            denied = isinstance(error, PermissionError)
            reason = f"{file} cannot be read: {error.strerror or error}"
            return Looked(Unknown(reason, "config.permission_denied" if denied else ""))
        if not found:
            return Looked(Unknown(f"{file} holds no certificate that can be read"))
        pick = found[0] if own else max(found, key=lambda one: one.expires_at)
        days = (pick.expires_at - now).total_seconds() / 86_400
        if days < 0:
            codes.insert(0, "tls.client_certificate_expired" if own else "tls.ca_expired")
        elif days < warn_days:
            codes.append("tls.certificate_expiring")
        if shown is None or pick.expires_at < shown[0].expires_at:
            shown = (pick, own, file)
    assert shown is not None, "there is at least one file"
    certificate, own, file = shown
    days = (certificate.expires_at - now).total_seconds() / 86_400
    values: dict[str, Value] = {
        "certificate_of": "terminal" if own else "authority",
        "certificate_days": int(days),
        "expires_at": certificate.expires_at.isoformat(timespec="seconds"),
        "subject": certificate.subject,
        "path": file,
        "files": len(named),
    }
    return Looked(Reading(values), tuple(dict.fromkeys(codes)))


# -- files -----------------------------------------------------------------------------------


async def _files(world: World) -> Looked:
    return await world.blocking.call(
        "inspection.files", partial(_rights, world.config), FILES_DEADLINE_S
    )


def _rights(config: Config) -> Looked:
    """Whether we may use what we need, and whether others may use what is ours alone."""
    state_dir, run_dir = Path(config.agent.state_dir), Path(config.agent.run_dir)
    wanted = [(state_dir, os.W_OK | os.X_OK), (run_dir, os.W_OK | os.X_OK)]
    secrets = [state_dir / "row.key", Path(config.store.key_file or state_dir / "payload.keys")]
    for one in (*config.uplink, config.telemetry):
        wanted += [(Path(file), os.R_OK) for file in (one.ca_file, one.cert_file) if file]
        if one.key_file:
            wanted.append((Path(one.key_file), os.R_OK))
            secrets.append(Path(one.key_file))
    denied = [str(path) for path, need in dict.fromkeys(wanted) if not os.access(path, need)]
    open_ = list(_open_to_others(secrets))
    values: dict[str, Value] = {"looked_at": len(wanted) + len(secrets)}
    if denied:
        values |= {"subject": denied[0], "denied": ", ".join(denied)}
        values["reason"] = f"the agent may not use {denied[0]}"
    if open_:
        values["open_to_others"] = ", ".join(open_)
        values.setdefault("subject", open_[0])
        values.setdefault("reason", f"others may read or change {open_[0]}")
    outcome: Outcome = Reading(values)
    return Looked(outcome, ("config.permission_denied",) if denied or open_ else ())


def _open_to_others(secrets: Iterable[Path]) -> Iterator[str]:
    for path in secrets:
        try:
            mode = path.stat().st_mode
        except OSError:
            continue  # not there, or not ours to see: then nobody reads it through us
        if mode & (_OTHERS_READ | _OTHERS_WRITE):
            yield str(path)


# -- the fleet -------------------------------------------------------------------------------


async def _fleet(world: World) -> Looked:
    view = world.telemetry()
    if not view.configured:
        return Looked(NotFitted())
    values: dict[str, Value] = {
        "connected": view.connected,
        "endpoint": view.endpoint,
        "queued": view.queued,
    }
    if view.connected:
        return Looked(Reading(values))
    values |= {"last_error": view.last_error, "reason": view.last_reason}
    return Looked(Unknown(view.last_reason or "not connected", view.last_error, _words(values)))


def _words(values: Mapping[str, Value]) -> dict[str, str]:
    return {name: str(value) for name, value in values.items() if value not in ("", None)}
