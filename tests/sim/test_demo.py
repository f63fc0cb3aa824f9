"""The demo's parts keep their promises without the daemon: words, books, payment app, keeper."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import signal
import string
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from agent import settings
from agent.errors import RemoteError
from agent.http.message import Hangup, Limits, Request, Response
from agent.http.server import Server
from agent.sim import demo
from agent.sim.broker import Broker
from agent.sim.demo_actors import Keeper, Paid, PaymentApp, page_answers, write_bank_list
from agent.sim.demo_story import Cast, Seen, StoryError, check, until
from agent.sim.demo_text import TEXTS, Narrator
from agent.sim.host import HostThread
from agent.sim.ledger import Ledger, Posting

TIMEOUT_S = 10.0


def names_in(text: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(text) if field}


@pytest.mark.parametrize("name", TEXTS)
def test_every_sentence_says_the_same_in_both_languages(name: str) -> None:
    """Chinese and English show the same figures; only the Chinese one has Chinese characters."""
    zh, en = TEXTS[name]
    assert names_in(zh) == names_in(en)
    assert re.search("[\u4e00-\u9fff]", zh)
    assert not re.search("[\u4e00-\u9fff]", en)


def test_every_hint_has_words_and_a_script(tmp_path: Path) -> None:
    """What is suggested exists, is executable and private."""
    demo._write_scripts(tmp_path, "http://127.0.0.1:1/_sim", 1, "en")
    out = io.StringIO()
    demo.hints(Narrator("zh", out), tmp_path)
    for name in demo.HINTS:
        assert f"hint.{name}" in TEXTS
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o700
        if name != "mqtt":
            assert str(tmp_path / name) in out.getvalue()


def test_the_scripts_work(tmp_path: Path) -> None:
    """`cut` closes the host, `mend` opens it, `ledger` shows the postings."""
    with HostThread() as host:
        demo._write_scripts(tmp_path, host.host.control_url, 1, "en")

        def run(name: str) -> Any:
            done = subprocess.run(
                [tmp_path / name], capture_output=True, timeout=TIMEOUT_S, check=True
            )
            return json.loads(done.stdout)

        assert run("cut")["fault"]["name"] == "refuse"
        assert run("mend")["fault"]["name"] == "none"
        assert run("lose")["fault"]["times"] == 1
        assert run("ledger") == []


def test_without_a_fleet_nobody_is_told_to_try_it(tmp_path: Path) -> None:
    """Where the fleet's tools have no broker to speak to, they are not suggested."""
    out = io.StringIO()
    demo.hints(Narrator("en", out), tmp_path, fleet=False)
    assert str(tmp_path / "why") in out.getvalue()
    assert "fleet" not in out.getvalue().replace(str(tmp_path), "")


def test_the_operators_key_is_the_one_the_terminal_is_told(tmp_path: Path) -> None:
    """Made by the real command, private, and of use in the configuration; the order names it."""
    public = asyncio.run(demo._new_key(tmp_path))
    broker = Broker(kind="amqtt")
    broker.port = 1883
    file = demo._write_config(tmp_path, "http://127.0.0.1:8/t", broker, "en", public)
    (key,) = settings.load(file, references=False).config.fleet_key
    assert (key.id, key.public_key, key.roles) == ("operator", public, ("operate",))
    order = demo._order(tmp_path, 1883, "en")
    private = Path(order[order.index("--sign-key") + 1])
    assert private.stat().st_mode & 0o777 == 0o600
    demo._write_scripts(tmp_path, "http://127.0.0.1:1/_sim", 1883, "en")
    for name in ("fleet-send", "fleet-watch"):
        script = (tmp_path / name).read_text("utf-8")
        assert "--broker mqtt://127.0.0.1:1883" in script
        assert script.endswith(' "$@"\n')


@pytest.mark.parametrize("url", ["http://127.0.0.1:8/v1/transactions", "https://127.0.0.1:8/t"])
def test_the_config_it_writes_is_valid(tmp_path: Path, url: str) -> None:
    """The daemon's own loader accepts it, tables and all."""
    if url.startswith("https"):
        (tmp_path / "tls").mkdir()
        for name in ("ca.pem", "terminal.pem", "terminal.key"):
            (tmp_path / "tls" / name).write_text("-", "ascii")
            (tmp_path / "tls" / name).chmod(0o600)
    broker = Broker(kind="amqtt")
    broker.port = 1883
    file = demo._write_config(tmp_path, url, broker, "zh")
    config = settings.load(file, references=False).config
    assert config.uplink[0].url == url
    assert config.telemetry.endpoints == ("mqtt://127.0.0.1:1883",)
    assert config.telemetry.protocol == "3.1.1"
    assert config.health["printer.paper_out"].visible_after_s == 0


def posting(key: str, amount_minor: int = 100, status: str = "posted") -> Posting:
    return Posting(
        seq=1,
        terminal_id="DEMO0001",
        key=key,
        merchant_id="M",
        kind="sale",
        posting="advice",
        amount_minor=amount_minor,
        currency="CNY",
        fingerprint="f",
        status=status,
        reference="r",
        response_code="00",
        rrn="1",
        posted_at="2026-11-21T00:00:00Z",
        posted_wall_ms=0,
        attempt=1,
    )


class BookApp:
    """A payment app whose payments are in the states given."""

    def __init__(self, states: dict[str, str]) -> None:
        self.paid = [Paid(key=key, amount_minor=100, posting="advice") for key in states]
        self.unsure: set[str] = set()
        self._states = states

    async def record(self, key: str) -> dict[str, Any]:
        return {"state": self._states[key]}


def books(
    tmp_path: Path,
    states: dict[str, str],
    postings: list[Posting],
    *,
    seen: Seen | None = None,
    unsure: str = "",
) -> tuple[bool, str]:
    ledger = Ledger(tmp_path / "ledger.jsonl", now_ms=lambda: 0, sync=False)
    for one in postings:
        ledger.append(one)
    ledger.close()
    out, app = io.StringIO(), BookApp(states)
    app.unsure.add(unsure)
    nobody: Any = None
    cast = Cast(
        narrator=Narrator("en", out),
        app=app,  # type: ignore[arg-type]
        host=nobody,
        ledger_file=tmp_path / "ledger.jsonl",
        printer=nobody,
        ear=nobody,
        config=tmp_path,
    )
    return asyncio.run(check(cast, seen)), out.getvalue()


GOOD = Seen(lapsed=("late",), alarm=True, cause="network.host_unreachable", obeyed=True)


def test_books_that_agree(tmp_path: Path) -> None:
    """Every payment once, the lapsed one nowhere: good."""
    good, said = books(tmp_path, {"a": "posted", "late": "lapsed"}, [posting("a")], seen=GOOD)
    assert good, said
    assert "✗" not in said


@pytest.mark.parametrize(
    ("states", "postings", "seen"),
    [
        ({"a": "posted", "late": "lapsed"}, [], GOOD),
        ({"a": "waiting", "late": "lapsed"}, [], GOOD),
        ({"a": "posted"}, [posting("a"), posting("a")], None),
        ({"a": "posted"}, [posting("a", 101)], None),
        ({"a": "posted"}, [posting("a"), posting("b")], None),
        ({"a": "posted", "late": "lapsed"}, [posting("a"), posting("late")], GOOD),
        ({"a": "posted"}, [posting("a")], Seen(lapsed=(), alarm=False, cause="x")),
        ({"a": "posted"}, [posting("a")], Seen(lapsed=(), alarm=True, cause="")),
        ({"a": "posted"}, [posting("a")], Seen(lapsed=(), alarm=True, cause="x", obeyed=False)),
        (
            {"a": "posted"},
            [posting("a")],
            Seen(lapsed=(), alarm=True, cause="x", held={"check.late": True, "check.bank": False}),
        ),
    ],
    ids=[
        "lost",
        "stuck",
        "twice",
        "amount",
        "strange",
        "late",
        "no alarm",
        "no cause",
        "disobeyed",
        "broken promise",
    ],
)
def test_books_that_do_not_agree(
    tmp_path: Path, states: dict[str, str], postings: list[Posting], seen: Seen | None
) -> None:
    """Positive controls: each kind of disagreement is found."""
    good, said = books(tmp_path, states, postings, seen=seen)
    assert not good
    assert "✗" in said


def test_the_visitors_books_excuse_what_is_still_open(tmp_path: Path) -> None:
    """Ended in the middle of an outage: unsent and declined payments are no disagreement."""
    good, said = books(
        tmp_path,
        {"a": "posted", "open": "waiting", "no": "declined"},
        [posting("a"), posting("no", status="declined"), posting("half")],
        unsure="half",
    )
    assert good, said
    assert "not sent yet: 1" in said


def test_the_banks_list_has_just_its_two_mistakes(tmp_path: Path) -> None:
    """In the bank's own encoding: one amount a yuan too high, one payment left out."""
    paid = [posting(f"k-{number}", 100 + number) for number in range(6)]
    write_bank_list(tmp_path / "bank.csv", paid)
    head, *lines = (tmp_path / "bank.csv").read_bytes().decode("gb18030").splitlines()
    assert head.startswith("商户订单号,")
    listed = {line.split(",")[0]: line.split(",")[3] for line in lines}
    assert listed == {"k-0": "1.00", "k-1": "1.01", "k-2": "2.02", "k-3": "1.03", "k-5": "1.05"}


@pytest.mark.parametrize("status", [200, 404])
def test_whether_the_page_is_there_is_seen(status: int) -> None:
    """Only a 200 is a page; nobody listening is none."""

    async def api(request: Request) -> Response:
        return Response(status=status, body=b"{}")

    async def main() -> None:
        server = Server(api, Limits())
        port = await server.start_tcp("127.0.0.1", 0)
        assert await page_answers(f"127.0.0.1:{port}") is (status == 200)
        await server.close(0.0)
        assert not await page_answers(f"127.0.0.1:{port}")

    asyncio.run(main())


def test_waiting_ends_with_a_sentence() -> None:
    """What never comes is named."""

    async def never() -> bool:
        return False

    with pytest.raises(StoryError, match="the moon"):
        asyncio.run(until(never, "the moon", 0.0))


def with_api(
    tmp_path: Path,
    handler: Callable[[Request], Awaitable[Response]],
    play: Callable[[PaymentApp, list[str]], Awaitable[None]],
) -> None:
    async def main() -> None:
        server = Server(handler, Limits())
        await server.start_unix(tmp_path / "api.sock")
        trouble: list[str] = []
        app = PaymentApp(tmp_path / "api.sock", trouble.append)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await play(app, trouble)
        finally:
            await app.close()
            await server.close(0.0)

    asyncio.run(main())


def test_the_payment_app_repeats_with_the_same_key(tmp_path: Path) -> None:
    """503 means unknown: the very same bytes again until "recorded"."""
    bodies: list[bytes] = []

    async def api(request: Request) -> Response:
        bodies.append(request.body)
        return Response(status=503 if len(bodies) < 2 else 201, body=b"{}")

    async def play(app: PaymentApp, trouble: list[str]) -> None:
        paid = await app.pay(1250, wait_s=3.0)
        assert bodies[0] == bodies[1]
        handed = json.loads(bodies[0])
        assert handed["key"] == paid.key
        assert (handed["posting"], handed["amount_minor"]) == ("request", 1250)
        assert "send_before" in handed
        assert trouble == ["503"]
        assert (app.paid, app.unsure) == ([paid], set())

    with_api(tmp_path, api, play)


def test_the_payment_app_gives_up_on_a_refusal(tmp_path: Path) -> None:
    """A 422 is a bug of the demo: said at once, not repeated."""

    async def api(request: Request) -> Response:
        return Response(status=422, body=b'{"code":"amount.invalid"}')

    async def play(app: PaymentApp, trouble: list[str]) -> None:
        with pytest.raises(RemoteError, match=r"amount\.invalid"):
            await app.pay(1)
        assert trouble == []

    with_api(tmp_path, api, play)


def test_questions_are_repeated_while_the_daemon_is_away(tmp_path: Path) -> None:
    """A cut connection is asked over again; a clear no is not."""
    asked: list[str] = []

    async def api(request: Request) -> Response:
        asked.append(request.path)
        if len(asked) == 1:
            raise Hangup
        return Response(status=200 if len(asked) == 2 else 404, body=b'{"state":"posted"}')

    async def play(app: PaymentApp, trouble: list[str]) -> None:
        assert await app.record("k") == {"state": "posted"}
        assert asked == ["/v1/transactions/k"] * 2
        with pytest.raises(RemoteError, match="404"):
            await app.backlog()
        assert len(asked) == 3

    with_api(tmp_path, api, play)


class Changes:
    """What a keeper says, awaitable."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[tuple[str, dict[str, object]]] = asyncio.Queue()

    def __call__(self, name: str, **fields: object) -> None:
        TEXTS[name][1].format(**fields)
        self.said.put_nowait((name, fields))


SLEEPER = "import subprocess,sys,time;print('up',flush=True);time.sleep(60)"


def test_the_keeper_restarts_what_was_killed_and_ends_it(tmp_path: Path) -> None:
    """kill -9 is noticed, named and mended; the end leaves nothing behind."""

    async def main() -> None:
        changes = Changes()
        keeper = Keeper([sys.executable, "-c", SLEEPER], tmp_path, changes)
        keeper.REST_S = 0.01
        try:
            await keeper.start()
            keeping = asyncio.create_task(keeper.keep())
            first = keeper.pid
            assert (tmp_path / "agent.pid").read_text("ascii").strip() == str(first)
            os.kill(first, signal.SIGKILL)
            async with asyncio.timeout(TIMEOUT_S):
                assert (await changes.said.get())[1]["how"] == "signal 9"
                name, fields = await changes.said.get()
            assert name == "agent.back"
            assert fields["pid"] == keeper.pid != first
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
        finally:
            await keeper.end()
        with pytest.raises(ProcessLookupError):
            os.kill(keeper.pid, 0)

    asyncio.run(main())


def test_the_keeper_ends_whatever_the_agent_started(tmp_path: Path) -> None:
    """The whole process group goes, also a child that ignores SIGTERM."""
    stubborn = "import signal,time;signal.signal(15,signal.SIG_IGN);time.sleep(60)"
    parent = (
        f"import subprocess,sys;p=subprocess.Popen([sys.executable,'-c',{stubborn!r}]);"
        "print(p.pid,flush=True);p.wait()"
    )

    async def main() -> int:
        keeper = Keeper([sys.executable, "-c", parent], tmp_path, Changes())
        await keeper.start()

        async def told() -> bool:
            return bool(keeper.log_tail())

        try:
            await until(told, "the child's pid", TIMEOUT_S)
        finally:
            await keeper.end()
        return int(keeper.log_tail())

    child = asyncio.run(main())

    async def gone() -> bool:
        try:
            state = Path(f"/proc/{child}/stat").read_text("ascii").rsplit(")", 1)[1].split()[0]
        except OSError:
            return True
        return state == "Z"

    asyncio.run(until(gone, "the child's end", TIMEOUT_S))


def test_the_keeper_gives_up_on_what_never_stays(tmp_path: Path) -> None:
    """Four deaths at once end the demo instead of a restart storm."""

    async def main() -> None:
        changes = Changes()
        keeper = Keeper([sys.executable, "-c", "raise SystemExit(3)"], tmp_path, changes)
        keeper.REST_S = 0.01
        await keeper.start()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                with pytest.raises(RemoteError, match="exit 3"):
                    await keeper.keep()
        finally:
            await keeper.end()

    asyncio.run(main())
