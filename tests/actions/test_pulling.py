"""A bank's list fetched over real TLS and from real programs, and when."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest
import trustme

from agent.actions.list_source import Fetched, ListSource, PullError
from agent.actions.pulling import Pulling, overdue
from agent.config.reconcile import Reconcile
from agent.link.dial import Dialer
from agent.supervise import DaemonThreads
from agent.wire.problem import RequestError
from tests.fakes import FakeClock

DAY = date(2026, 11, 22)
LIST = b"key,amount\na,1.00\n"
SECRET = "Bearer not-to-be-seen"


class Bank:
    """A server that answers what it is told to, over TLS; keeps what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.heads: list[str] = []
        self.answer: bytes = b""
        self.drips = False
        authority = trustme.CA()
        self.ca_file = folder / "ca.pem"
        authority.cert_pem.write_to_path(self.ca_file)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(self._tls)
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    def says(self, status: str, body: bytes = b"", *headers: str) -> None:
        lines = [f"HTTP/1.1 {status}", *headers]
        if not status.startswith(("304", "204")):
            lines.append(f"content-length: {len(body)}")
        self.answer = "\r\n".join([*lines, "", ""]).encode() + body

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            if self.drips:
                for at in range(len(self.answer)):
                    writer.write(self.answer[at : at + 1])
                    await writer.drain()
                    await asyncio.sleep(0.05)
            writer.write(self.answer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()


def table(**keys: Any) -> Reconcile:
    return Reconcile(**{"name": "bank", "pull_jitter_s": 0, **keys})


def source(folder: Path) -> ListSource:
    threads = DaemonThreads()
    return ListSource(Dialer(threads), threads, folder / "hooks.d")


def over_tls(folder: Path, scene: Callable[[Bank, ListSource, Any], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with Bank(folder) as bank:
            own: dict[str, Any] = {"ca_file": str(bank.ca_file)}
            own["pull"] = f"https://localhost:{bank.port}/lists/{{yyyymmdd}}.csv?on={{date}}"
            await scene(bank, source(folder), own)

    asyncio.run(whole())


async def failed(found: Awaitable[Fetched]) -> PullError:
    with pytest.raises(PullError) as caught:
        await found
    assert SECRET not in str(caught.value)
    return caught.value


def test_a_list_comes_and_the_same_again_costs_nothing(tmp_path: Path) -> None:
    """The day in the address, the credential in the header, the tags sent back; 304 and 204."""
    secret = tmp_path / "secret"
    secret.write_text(SECRET + "\n")
    secret.chmod(0o600)

    async def scene(bank: Bank, lists: ListSource, own: dict[str, Any]) -> None:
        one = table(**own, authorization_file=str(secret))
        bank.says("200 OK", LIST, 'etag: "v1"', "last-modified: Sun, 22 Nov 2026 00:00:00 GMT")
        found = await lists.fetch(one, DAY, {})
        assert (found.body, found.name, found.etag) == (LIST, "20261122.csv", '"v1"')
        assert bank.heads[0].startswith("GET /lists/20261122.csv?on=2026-11-22 HTTP/1.1")
        assert f"authorization: {SECRET}" in bank.heads[0]
        bank.says("304 Not Modified")
        known = {"etag": found.etag, "modified": found.modified}
        assert (await lists.fetch(one, DAY, known)).same
        assert 'if-none-match: "v1"' in bank.heads[1]
        assert "if-modified-since: Sun, 22 Nov" in bank.heads[1]
        bank.says("204 No Content")
        assert await lists.fetch(one, DAY, {}) == Fetched()

    over_tls(tmp_path, scene)


@pytest.mark.parametrize(
    ("answer", "kind", "after_s"),
    [
        (("401 Unauthorized", b"", ""), "refused", None),
        (("404 Not Found", b"", ""), "not_there", None),
        (("500 Oops", b"", ""), "server", None),
        (("503 Later", b"", "retry-after: 1200"), "busy", 1200.0),
        (("302 Found", b"", "location: https://elsewhere/"), "redirect", None),
        (("200 OK", b"<!DOCTYPE html><p>sign in", ""), "not_a_list", None),
        (("200 OK", b"x" * 1_048_577, ""), "too_large", None),
    ],
)
def test_what_is_no_list_has_a_kind(
    tmp_path: Path, answer: tuple[str, bytes, str], kind: str, after_s: float | None
) -> None:
    """One word for the log, a sentence, and how long the server asks for."""

    async def scene(bank: Bank, lists: ListSource, own: dict[str, Any]) -> None:
        status, body, header = answer
        bank.says(status, body, *([header] if header else []))
        error = await failed(lists.fetch(table(**own, max_mb=1), DAY, {}))
        assert (error.kind, error.retry_after_s) == (kind, after_s)
        assert len(bank.heads) == 1  # no redirect is followed, nothing asked twice

    over_tls(tmp_path, scene)


def test_a_dripping_server_a_strange_one_and_files_that_cannot_be_used(tmp_path: Path) -> None:
    """The deadline is for the whole list; a certificate of somebody else's is refused."""
    loose = tmp_path / "loose"
    loose.write_text(SECRET)
    loose.chmod(0o644)

    async def scene(bank: Bank, lists: ListSource, own: dict[str, Any]) -> None:
        bank.says("200 OK", LIST)
        error = await failed(lists.fetch(table(**own, authorization_file=str(loose)), DAY, {}))
        assert (error.kind, "0600" in error.what) == ("files", True)
        missing = {**own, "ca_file": str(tmp_path / "none.pem")}
        assert (await failed(lists.fetch(table(**missing), DAY, {}))).kind == "files"
        system = {**own, "ca_file": ""}
        error = await failed(lists.fetch(table(**system), DAY, {}))
        assert error.kind == "no_connection_tls"
        assert not bank.heads
        bank.drips = True
        error = await failed(lists.fetch(table(**own, pull_deadline_s=0.5), DAY, {}))
        assert error.kind == "broken_off"

    over_tls(tmp_path, scene)


HOOKS = {
    "good": f"read line; echo \"$line\" > request; printf '{LIST.decode()}'".replace("\n", "\\n"),
    "none": "exit 0",
    "wrong": "echo no right >&2; exit 1",
    "large": "head -c 1100000 /dev/zero",
    "hangs": "sleep 300 & echo $! > child; sleep 300",
}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("good", ""),
        ("none", ""),
        ("wrong", "hook_exit"),
        ("large", "hook_too_much"),
        ("hangs", "hook_hangs"),
        ("missing", "hook_missing"),
    ],
)
def test_a_program_prints_the_list(tmp_path: Path, name: str, kind: str) -> None:
    """Exit code 0, the size and the deadline decide; nothing it started is left."""
    home = tmp_path / "hooks.d"
    home.mkdir(mode=0o755)
    if body := HOOKS.get(name):
        (home / f"list.{name}").write_text(f"#!/bin/sh\n{body}\n")
        (home / f"list.{name}").chmod(0o755)
    deadline_s = 1.0 if name == "hangs" else 30.0
    one = table(pull=f"hook:{name}", max_mb=1, pull_deadline_s=deadline_s)

    async def scene() -> None:
        fetched = source(tmp_path).fetch(one, DAY, {})
        if kind:
            assert (await failed(fetched)).kind == kind
            return
        assert (await fetched).body == (LIST if name == "good" else b"")

    asyncio.run(scene())
    if name == "good":
        request = (home / "request").read_text()
        assert '"profile": "bank"' in request
        assert '"date": "2026-11-22"' in request
    if name == "hangs":
        pid = (home / "child").read_text().strip()
        stat = Path(f"/proc/{pid}/stat")
        assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] in "ZX"


class House:
    """Where fetched lists go, and a bank that gives what the test says."""

    def __init__(self, *tables: Reconcile) -> None:
        self.clock = FakeClock(wall_ms=1_795_305_600_000)  # 2026-11-22 00:00 UTC, 08:00 local
        self.notes: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, str]] = []
        self.gives: Fetched | PullError = Fetched(body=LIST, name="a.csv", etag='"1"')
        self.known: Mapping[str, str] = {}
        self.handed: list[bytes] = []
        self.state = "done"
        self.tables = tables or (table(pull="https://b/{date}"),)
        self.again()

    def again(self) -> None:
        """The agent starts."""
        self.pulling = Pulling(
            self.tables, source=self, reconciler=lambda: self,  # type: ignore[arg-type,return-value]
            lists=self, notes=self, clock=self.clock, device_id="T1",  # type: ignore[arg-type]
        )  # fmt: skip

    def tick(self, hours: float = 0.0) -> int:
        """So much later; how often the bank was asked by now."""
        self.clock.advance(hours * 3600)
        asyncio.run(self.pulling.tick())
        return len(self.asked)

    async def fetch(self, one: Reconcile, day: date, known: Mapping[str, str]) -> Fetched:
        self.asked.append((one.name, day.isoformat()))
        self.known = known
        if isinstance(self.gives, PullError):
            raise self.gives
        return self.gives

    async def load(self, name: str) -> dict[str, Any]:
        return dict(self.notes.get(name, {}))

    async def save(self, name: str, kept: Mapping[str, Any]) -> None:
        self.notes[name] = dict(kept)

    async def one(self, number: int) -> Any:
        return SimpleNamespace(number=number, state=self.state)

    async def begin(self, *_: object, settled_on: str | None, **__: object) -> tuple[str, int]:
        self.settled_on = settled_on
        self.handed.append(b"")
        return "id", 0

    def piece(self, _import_id: str, number: int, data: bytes) -> int:
        assert len(self.handed[-1]) == number * 262_144
        self.handed[-1] += data
        return len(self.handed[-1])

    async def end(self, _import_id: str) -> int:
        return len(self.handed)

    async def finished(self, *_: object) -> None:
        return


def test_a_list_is_fetched_once_a_day_at_its_hour() -> None:
    """At the start what was missed, once; then at half past six, for the day before."""
    house = House()
    assert house.tick() == 1
    assert house.asked == [("bank", "2026-11-21")]
    assert (house.handed, house.settled_on) == ([LIST], "2026-11-21")
    assert [house.tick(1) for _ in range(22)] == [1] * 22  # 06:00
    assert house.tick(0.49) == 1
    assert house.tick(0.02) == 2
    house.clock.reboot(3 * 86_400)  # three days off: the latest only
    house.again()
    assert house.tick() == 3
    assert house.asked[-1] == ("bank", "2026-11-25")
    house.clock.reboot(60)
    house.again()
    assert house.tick() == 3


def test_after_a_start_each_device_waits_its_own_while() -> None:
    """As long as its shift, so that a street without power does not ask as one."""
    house = House(table(pull="hook:a", pull_jitter_s=7200))
    times = [house.tick(0.05) for _ in range(45)]
    assert times[-1] == 1
    assert times.count(0) > 1
    untrusted = House()
    untrusted.clock.trusted = False
    assert untrusted.tick(1) == 0


def test_a_failure_rests_and_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """One warning by its kind, ever longer rests, no list lost when it works again."""
    house = House()
    house.gives = PullError("refused", "the bank's server answered 401")
    with caplog.at_level(logging.INFO, "agent.actions.pulling"):
        assert house.tick() == 1
        assert [house.tick(1 / 60) for _ in range(4)] == [1] * 4
        assert house.tick(1 / 60 + 0.001) == 2
        assert house.tick(0.15) == 2
        assert house.tick(0.03) == 3
        assert len(caplog.records) == 1
        house.gives = PullError("busy", "the bank's server answered 503", 7200.0)
        assert house.tick(0.4) == 4
        assert len(caplog.records) == 2
        assert house.tick(1.9) == 4
        house.gives = Fetched(body=LIST)
        assert house.tick(0.2) == 5
        assert house.tick(1) == 5
    assert "failures=4" in caplog.records[-1].getMessage()


def test_a_list_that_was_refused_is_asked_for_again_in_full() -> None:
    """Its tags are sent only where the list they belong to was read to its end."""
    house = House()
    house.state = "refused"
    assert house.tick() == 1
    assert house.tick(0.1) == 2
    assert house.known == {}
    house.state = "done"
    assert house.tick(0.2) == 3
    assert asyncio.run(house.pulling.ask("", None, "tech")) == 4
    assert house.known["etag"] == '"1"'
    house.gives = Fetched(same=True)
    assert asyncio.run(house.pulling.ask("bank", None, "tech")) == 4
    assert asyncio.run(house.pulling.ask("bank", None, "tech")) == 4
    assert len(house.handed) == 4


def test_a_technician_asks_for_a_day_and_hears_why_not() -> None:
    """Another day than the schedule's; every failure is a sentence under one code."""
    house = House(table(pull="https://b/{date}"), table(name="brought"))
    asyncio.run(house.pulling.ask("bank", "2026-11-03", "tech"))
    assert house.asked == [("bank", "2026-11-03")]
    house.gives = Fetched()
    for profile, day, code in (
        ("bank", None, "reconcile.pull"),
        ("brought", None, "reconcile.no_pull"),
        ("none", None, "reconcile.profile"),
        ("bank", "2026-13-40", "request.bad_field"),
    ):
        with pytest.raises(RequestError) as caught:
            asyncio.run(house.pulling.ask(profile, day, "tech"))
        assert caught.value.code == code


def test_what_takes_long_goes_on_and_another_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is that it is busy; the list comes all the same."""
    monkeypatch.setattr("agent.actions.pulling.ANSWER_S", 0.01)
    house = House()
    goes = asyncio.Event()

    async def slow(*_: object) -> Fetched:
        await goes.wait()
        return Fetched(body=LIST)

    async def scene() -> None:
        monkeypatch.setattr(house, "fetch", slow)
        for _ in range(2):
            with pytest.raises(RequestError) as caught:
                await house.pulling.ask("bank", None, "tech")
            assert caught.value.code == "reconcile.busy"
        goes.set()
        while not house.handed:
            await asyncio.sleep(0.01)

    asyncio.run(scene())
    assert house.handed == [LIST]


def test_a_list_that_does_not_come_for_days_is_told() -> None:
    """From when it was first due; one brought by hand counts as one that came."""
    house = House()
    house.gives = PullError("server", "the bank's server answered 500")
    house.tick()
    brought: list[Any] = []

    async def kept() -> list[Any]:
        return brought

    def told() -> str:
        return asyncio.run(overdue(house.tables, house, kept, house.clock.now().wall_ms))

    assert told() == ""
    house.clock.advance(5 * 86_400)
    assert told() == "no settlement list of bank for 5 days"
    now_ms = house.clock.now().wall_ms
    brought.append(SimpleNamespace(profile="bank", state="done", ended_ms=now_ms - 1000))
    assert told() == ""
