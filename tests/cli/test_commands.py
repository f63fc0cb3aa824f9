"""The command line as a person or a script meets it: whole processes, real files, exit codes."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.cli.client import Daemon
from agent.cli.screen import width
from agent.clock import SystemClock
from agent.core.money.journal import Change, Event
from agent.core.money.transaction import Kind, Payload, Posting, Submission, Transaction
from agent.store import Store
from tests.cli import prepared

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 30


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A private directory with a configuration: one dead host, state and socket inside."""
    tmp_path.chmod(0o700)
    config = tmp_path / "posagent.toml"
    config.write_text(
        f'[agent]\nstate_dir = "{tmp_path}/state"\nrun_dir = "{tmp_path}"\n'
        'device_id = "pos-17"\nsite = "Shop 3"\n'
        # Port 9 of loopback: nobody listens, and nothing leaves the machine.
        '[[uplink]]\nname = "main"\nurl = "http://127.0.0.1:9/pay"\nbackoff_base_s = 0.05\n'
    )
    config.chmod(0o600)
    return tmp_path


def environment(**more: str) -> dict[str, str]:
    plain = {name: v for name, v in os.environ.items() if not name.startswith(("LC_", "LANG"))}
    return {**plain, "PYTHONPATH": str(ROOT), **more}


def posagent(
    *arguments: object, lang: str = "en_US.UTF-8", **more: str
) -> subprocess.CompletedProcess[str]:
    """Run it, to the end, without a terminal; its modules are loaded already."""
    return prepared.run(
        [str(argument) for argument in arguments], environment(LANG=lang, **more), TIMEOUT_S
    )


def whole(
    *arguments: object, lang: str = "en_US.UTF-8", **more: str
) -> subprocess.CompletedProcess[str]:
    """Run it from nothing, as a shell does, to the end, without a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "agent", *map(str, arguments)],
        env=environment(LANG=lang, **more),
        cwd="/",
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def until(what: Callable[[], Any]) -> Any:
    """The first true answer of `what`."""
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        if answer := what():
            return answer
        time.sleep(0.05)
    raise AssertionError("waited in vain")


@contextmanager
def daemon(place: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The real one."""
    with (place / "daemon.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "agent", "run", "--config", str(place / "posagent.toml")],
            env=environment(),
            stdout=log,
            stderr=log,
        )
    try:
        until(lambda: (place / "api.sock").exists() or process.poll() is not None)
        assert process.poll() is None, (place / "daemon.log").read_text()
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(TIMEOUT_S)


def submit(place: Path, key: str, **more: Any) -> None:
    Daemon(place / "api.sock").post(
        "/v1/transactions",
        {
            "key": key,
            "terminal_id": "T1",
            "merchant_id": "M1",
            "kind": "sale",
            "posting": "advice",
            "occurred_at": datetime.now(UTC).isoformat(),
            "payload": {"content_type": "application/json", "text": "{}"},
            "amount_minor": 1250,
            "currency": "CNY",
            **more,
        },
    )


async def _fill(directory: Path) -> None:
    store = Store(directory, SystemClock())
    await store.start()
    for number, currency in enumerate(("CNY", "CNY", "EUR")):
        transaction = Transaction(
            key=f"pay-{number}",
            terminal_id="T1",
            merchant_id="M1",
            kind=Kind.SALE,
            posting=Posting.ADVICE,
            occurred_at=datetime.now(UTC) + timedelta(seconds=1),
            uplink="main",
            amount_minor=1250,
            currency=currency,
        )
        payload = Payload(content_type="application/json", body=b"{}")
        appended = await store.append(Submission(transaction=transaction, payload=payload))
    record = appended.record
    record = await store.advance(record.seq, record.version, Change(event=Event.ATTEMPT))
    trouble = Change(event=Event.NO_ANSWER, cause="host.no_reply", note="no answer within 30 s")
    await store.advance(record.seq, record.version, trouble)
    store.stop()


def fill(place: Path) -> None:
    """A store as a daemon leaves it: three payments, one in doubt."""
    asyncio.run(_fill(place / "state"))


def outcome(done: subprocess.CompletedProcess[str]) -> tuple[int, str]:
    assert "Traceback" not in done.stdout + done.stderr
    return done.returncode, done.stdout + done.stderr


# -- without anything running -------------------------------------------------------------


def test_help_lists_commands_and_exit_codes_in_both_languages() -> None:
    """`--help` names every command and every exit code, in the language of the environment."""
    code, said = outcome(whole("--help"))
    assert code == 0
    for word in ("run", "status", "why", "queue", "probe", "config", "demo", "sim", "causes"):
        assert f"    {word}" in said
    for number in ("0 done", "2 wrong arguments", "5 store held", "70 internal error"):
        assert number in " ".join(said.split())
    code, said = outcome(posagent("--help", lang="zh_CN.UTF-8"))
    assert code == 0
    assert "退出码" in said
    assert outcome(posagent("--version")) == (0, "posagent 0.1.0\n")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("frobnicate",),
        ("status", "--colour"),
        ("queue",),
        ("queue", "retry"),
        ("queue", "release", "k", "--cause", "host.down"),
        ("queue", "list", "--limit", "0"),
        ("--lang", "fr", "status"),
        ("sim", "host", "--port", "70000"),
        ("sim", "printer", "--control", "/nonexistent/c"),
    ],
)
def test_wrong_arguments_exit_2(arguments: tuple[str, ...]) -> None:
    """Arguments nobody understands are refused in one or two sentences."""
    done = posagent(*arguments)
    code, said = outcome(done)
    assert code == 2
    assert done.stdout == ""
    assert len(said.splitlines()) <= 2


def test_a_key_that_cannot_be_one_exits_2(place: Path) -> None:
    """A key with characters no key has is refused before anything is asked."""
    fill(place)
    code, said = outcome(posagent("queue", "show", "a/b", "--config", place / "posagent.toml"))
    assert code == 2
    assert "key" in said


def test_config_check_names_everything_and_exits_2(place: Path) -> None:
    """The installer sees file, line, table, key, limits and the nearest key, in his language."""
    bad = place / "bad.toml"
    bad.write_text("[api]\nmax_connections = 4\n[telemetry]\nwindwo = 2\npassword = 'hunter2'\n")
    bad.chmod(0o600)
    for lang, words in (("en", "did you mean window?"), ("zh", "是否应为 window")):
        code, said = outcome(posagent("config", "check", "--config", bad, "--lang", lang))
        assert code == 2
        assert f"{bad}:2: [api] max_connections" in said
        assert f"{bad}:4: [telemetry] windwo" in said
        assert words in said
        assert "hunter2" not in said
    done = posagent("config", "check", "--json", "--config", bad)
    problems = json.loads(done.stdout)["problems"]
    assert done.returncode == 2
    assert [(p["line"], p["key"]) for p in problems] == [
        (2, "max_connections"),
        (4, "windwo"),
        (5, "password"),
    ]


def test_run_refuses_a_bad_configuration(place: Path) -> None:
    """The daemon does not start on half a configuration: exit 2, every problem, no traceback."""
    bad = place / "bad.toml"
    bad.write_text("[agent\n")
    bad.chmod(0o600)
    code, said = outcome(whole("run", "--config", bad))
    assert code == 2
    assert f"{bad}:1" in said


def test_config_show_is_what_is_in_force_and_where_from(place: Path) -> None:
    """Every key with its value; what a file set names the file and line."""
    config = place / "posagent.toml"
    code, said = outcome(posagent("config", "show", "--config", config))
    assert code == 0
    assert f'site = "Shop 3"  # {config}:5' in said
    assert f'url = "http://127.0.0.1:9/pay"  # {config}:8' in said
    assert "window = 8\n" in said
    shown = json.loads(posagent("config", "show", "--json", "--config", config).stdout)
    assert shown["tables"]["[telemetry]"]["window"] == "8"


def test_config_keys_prints_the_documents() -> None:
    """The key table and the commented file can be printed anywhere."""
    markdown = posagent("config", "keys").stdout
    assert markdown == (ROOT / "docs/contracts/configuration.md").read_text("utf-8")
    toml = posagent("config", "keys", "--toml").stdout
    assert toml == (ROOT / "packaging/posagent.toml").read_text("utf-8")


def test_causes() -> None:
    """The catalogue can be listed, narrowed and read in full; an unknown code exits 1."""
    code, said = outcome(whole("causes"))
    assert code == 0
    assert len(said.splitlines()) > 120
    code, said = outcome(posagent("causes", "printer.paper_out", "--lang", "zh"))
    assert code == 0
    assert "打印机缺纸" in said
    assert "收银员" in said
    code, said = outcome(posagent("causes", "printer.paper_uot"))
    assert code == 1
    assert "printer.paper_out" in said
    assert json.loads(posagent("causes", "host.down", "--json").stdout)[0]["owner"] == "acquirer"


def test_probe_runs_one_watcher_without_a_daemon(place: Path) -> None:
    """`probe` asks a component by itself and shows values; an unknown one exits 1 and lists all."""
    config = ("--config", place / "posagent.toml")
    code, said = outcome(posagent("probe", "printer", *config))
    assert (code, said.strip()) == (0, "printer: not fitted")
    told = json.loads(posagent("probe", "system", "--json", *config).stdout)
    assert told["outcome"] == "reading"
    assert told["values"]["memory_total_mb"] > 0
    code, said = outcome(posagent("probe", "toaster", *config))
    assert code == 1
    for component in ("printer", "connectivity", "clock", "link", "system", "software", "devices"):
        assert component in said.partition("there are:")[2]
    code, said = outcome(posagent("probe", "channels", *config))
    assert (code, "only the running daemon" in said) == (3, True)


def test_probe_of_an_app_that_is_not_there(place: Path) -> None:
    """By the word `status` shows, too: no grace, no restart, and the texts name what they name."""
    config = place / "posagent.toml"
    config.write_text(
        config.read_text() + '[payment_app]\nname = "acme"\nprocess = "nobody-is-called-so"\n'
    )
    code, said = outcome(posagent("probe", "收款应用", "--lang", "zh", "--config", config))
    assert code == 0
    assert "收款应用acme没有运行" in said
    assert "software.app_stopped" in said


def test_probe_shows_what_is_wrong(place: Path) -> None:
    """A printer whose port is missing is unknown with the reason and the next step."""
    config = place / "posagent.toml"
    config.write_text(config.read_text() + '[printer]\ndevice = "/dev/nonexistent"\n')
    code, said = outcome(posagent("probe", "printer", "--config", config))
    assert code == 0
    assert "printer: unknown" in said
    assert "/dev/nonexistent" in said
    assert "->" in said


def test_neither_daemon_nor_store_exits_3(place: Path) -> None:
    """With nothing to read, the message names the socket, the store and what to do."""
    for command in (("status",), ("why",), ("queue", "list")):
        code, said = outcome(posagent(*command, "--config", place / "posagent.toml"))
        assert code == 3
        assert "api.sock" in said
        assert "journal" in said


def test_a_broken_configuration_does_not_blind_status(place: Path) -> None:
    """With another table broken, status still finds the store by [agent] and says so."""
    fill(place)
    config = place / "posagent.toml"
    config.write_text(config.read_text() + "[printer]\nbaud = 5\n")
    code, said = outcome(posagent("status", "--config", config))
    assert code == 0
    assert "1 problem" in said
    assert "3 payments" in said


def test_an_internal_error_is_one_line_and_a_file(place: Path) -> None:
    """Our own fault exits 70 with the name of a file that holds the details."""
    code_that_fails = (
        "import sys, agent.cli.causes as causes\n"
        "causes.CATALOGUE = None\n"
        "from agent.cli.app import main\n"
        "sys.exit(main(['causes', 'x']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code_that_fails],
        env=environment(TMPDIR=str(place)),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 70
    assert "Traceback" not in done.stderr
    reports = list(place.glob("posagent-*.log"))
    assert len(reports) == 1
    assert str(reports[0]) in done.stderr
    assert "Traceback" in reports[0].read_text()


def test_a_reader_that_goes_away_is_no_error() -> None:
    """`posagent causes | head -1` ends quietly."""
    command = f"{sys.executable} -m agent causes | head -n 1"
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.stderr == ""


def test_run_loads_no_other_command_and_nothing_for_people() -> None:
    """The daemon's import path holds no rich, no difflib, no simulators, no offline reader."""
    code = (
        "import sys, agent.__main__, agent.cli.run, agent.settings\n"
        "banned = ('rich', 'amqtt', 'agent.sim', 'agent.store.offline', 'agent.cli.status',"
        " 'difflib', 'agent.cli.config_reference', 'http.client')\n"
        "print([name for name in banned if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.stdout.strip() == "[]", done.stderr


# -- the store of a dead daemon ---------------------------------------------------------------


def test_a_dead_daemons_store_is_read_and_said_so(place: Path) -> None:
    """status, why and queue answer from the store, and their first line says so."""
    fill(place)
    before = sorted(path.name for path in (place / "state").iterdir())
    config = ("--config", place / "posagent.toml")
    for command in (
        ("status",),
        ("why",),
        ("why", "pay-2"),
        ("queue", "list"),
        ("queue", "show", "pay-2"),
    ):
        code, said = outcome(posagent(*command, *config))
        assert code == 0
        assert said.startswith("daemon not running: read from the store as of")
    assert posagent("status", *config, "--lang", "zh").stdout.startswith("监测程序未运行")
    assert sorted(path.name for path in (place / "state").iterdir()) == before


def test_the_configured_language_is_spoken_unless_another_is_asked_for(place: Path) -> None:
    """[agent] language wins over the environment, --lang over both."""
    fill(place)
    config = place / "posagent.toml"
    config.write_text(config.read_text().replace("[agent]\n", '[agent]\nlanguage = "zh"\n'))
    assert posagent("status", "--config", config).stdout.startswith("监测程序未运行")
    said = posagent("status", "--config", config, "--lang", "en").stdout
    assert said.startswith("daemon not running")


def test_offline_figures_are_those_of_the_store(place: Path) -> None:
    """Count, sums by currency, doubt and history are what the journal holds."""
    fill(place)
    config = ("--config", place / "posagent.toml")
    said = posagent("status", *config).stdout
    assert "3 payments (CNY 25.00 + EUR 12.50) wait and nothing sends them" in said
    assert "1 in doubt" in said
    assert "not known without the daemon" in said
    status = json.loads(posagent("status", "--json", *config).stdout)
    assert status["source"] == "store"
    assert status["daemon_alive"] is False
    assert status["backlog"]["total"]["by_currency"] == {"CNY": 2500, "EUR": 1250}
    assert status["store"]["path"] == str(place / "state" / "journal.db")
    said = posagent("why", "pay-2", *config).stdout
    assert "host.no_reply" in said
    shown = json.loads(posagent("queue", "show", "pay-2", "--json", *config).stdout)
    assert [step["event"] for step in shown["history"]][-2:] == ["attempt", "no_answer"]


def test_queue_list_pages_and_limits(place: Path) -> None:
    """--limit shows that many and says that there are more."""
    fill(place)
    config = ("--config", place / "posagent.toml")
    said = posagent("queue", "list", "--limit", "2", *config).stdout
    assert "pay-1" in said
    assert "pay-2" not in said
    assert "more than 2" in said
    assert "more than" not in posagent("queue", "list", "--limit", "3", *config).stdout
    listed = json.loads(posagent("queue", "list", "--json", *config).stdout)
    assert [item["key"] for item in listed["items"]] == ["pay-0", "pay-1", "pay-2"]


def test_an_unknown_key_exits_1(place: Path) -> None:
    """`queue show` of a key nobody handed over is the one bad news with an exit code."""
    fill(place)
    config = ("--config", place / "posagent.toml")
    code, said = outcome(posagent("queue", "show", "nope", *config))
    assert code == 1
    assert "no payment with key nope" in said
    assert outcome(posagent("why", "nope", *config))[0] == 0


def test_changing_needs_the_daemon(place: Path) -> None:
    """retry, hold and release say that they need the daemon and change nothing: exit 3."""
    fill(place)
    config = ("--config", place / "posagent.toml")
    for order in (("retry", "pay-0"), ("hold", "pay-0"), ("release", "--cause", "queue.held")):
        code, said = outcome(posagent("queue", *order, *config))
        assert code == 3
        assert "only it can do this" in said
    assert json.loads(posagent("queue", "show", "pay-0", "--json", *config).stdout)["version"] == 1


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_everything_fits_80_columns(place: Path, lang: str) -> None:
    """Without a terminal status and why are at most 80 columns wide in both languages."""
    fill(place)
    config = ("--config", place / "posagent.toml", "--lang", lang)
    for command in (("status",), ("why",), ("why", "pay-2"), ("queue", "show", "pay-2")):
        for line in posagent(*command, *config).stdout.splitlines():
            assert width(line) <= 80, line
            assert "\x1b" not in line


def on_a_terminal(*arguments: object, **more: str) -> str:
    """What it writes to a terminal 100 columns wide."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    try:
        with subprocess.Popen(
            [sys.executable, "-m", "agent", *map(str, arguments)],
            env=environment(TERM="xterm", **more),
            stdout=slave,
        ) as process:
            os.close(slave)
            said = b""
            try:
                while piece := os.read(master, 65_536):
                    said += piece
            except OSError:  # EIO: the other end is closed
                assert process.wait(TIMEOUT_S) == 0
    finally:
        os.close(master)
    return said.decode()


def test_colours_only_on_a_terminal_that_wants_them(place: Path) -> None:
    """A terminal gets colours and drawn tables, NO_COLOR none, and never is a key cut off."""
    fill(place)
    config = ("--config", place / "posagent.toml")
    assert "\x1b[" in on_a_terminal("status", *config)
    assert "\x1b[" not in on_a_terminal("status", *config, NO_COLOR="1")
    for lang in ("en", "zh"):
        listed = on_a_terminal("queue", "list", *config, "--lang", lang)
        assert all(f"pay-{number}" in listed for number in range(3))


# -- the real daemon ----------------------------------------------------------------------------


def status_of(place: Path) -> Mapping[str, Any]:
    done = posagent("status", "--json", "--config", place / "posagent.toml")
    assert done.returncode == 0, done.stderr
    status: Mapping[str, Any] = json.loads(done.stdout)
    return status


def test_the_real_daemon_answers(place: Path) -> None:
    """status, why, queue and its orders against the real daemon with its host cut off."""
    config = ("--config", place / "posagent.toml")
    with daemon(place):
        code, said = outcome(posagent("status", *config))
        assert code == 0
        assert said.startswith("All payments are sent")
        assert "pos-17 · Shop 3" in said

        submit(place, "pay-a")
        submit(place, "pay-b", amount_minor=700, currency="JPY")
        until(lambda: status_of(place)["backlog"]["blocking_cause"])
        assert status_of(place)["source"] == "daemon"
        said = posagent("status", *config).stdout
        assert "2 payments (CNY 12.50 + JPY 700) are not sent" in said
        assert "Cause: acquirer host unreachable" in " ".join(said.split())
        assert "main: " in said
        code, said = outcome(posagent("why", "--lang", "zh", *config))
        assert code == 0
        assert "network.host_unreachable" in said
        assert posagent("why", "pay-a", *config).stdout.count("pay-a") >= 1

        code, said = outcome(posagent("queue", "hold", "pay-a", "--reason", "asked", *config))
        assert code == 0
        assert "1 payment held" in said
        said = posagent("queue", "show", "pay-a", *config).stdout
        assert "held" in said
        assert "asked" in said
        code, said = outcome(posagent("queue", "retry", "pay-a", *config))
        assert code == 6
        assert "held" in said
        code, said = outcome(posagent("queue", "release", "--cause", "queue.held", *config))
        assert code == 0
        assert "1 payment released" in said
        code, said = outcome(posagent("queue", "retry", "--all", *config))
        assert code == 0
        assert "will be tried now" in said
        assert outcome(posagent("queue", "show", "nope", *config))[0] == 1
        assert outcome(posagent("queue", "hold", "nope", *config))[0] == 1
    code, said = outcome(posagent("status", *config))
    assert code == 0
    assert said.startswith("daemon not running")
    assert "2 payments" in said


def test_a_hanging_daemon_is_told_from_a_dead_one(place: Path) -> None:
    """A stopped daemon still holds the store: exit 5 and the advice to restart it."""
    with daemon(place) as process:
        process.send_signal(signal.SIGSTOP)
        code, said = outcome(posagent("status", "--config", place / "posagent.toml"))
        assert code == 5
        assert "did not answer within" in said
        assert "systemctl restart posagent" in said


def test_a_second_daemon_is_refused(place: Path) -> None:
    """Two daemons on one store: the second says who holds it and leaves."""
    with daemon(place):
        code, said = outcome(whole("run", "--config", place / "posagent.toml"))
        assert code != 0
        assert "daemon" in said


def test_watch_shows_again_until_it_is_stopped(place: Path) -> None:
    """`status --watch` shows the whole once, keeps looking, and ends with Ctrl-C, exit 0."""
    fill(place)
    process = subprocess.Popen(
        [sys.executable, "-m", "agent", "status", "--watch", "--config", place / "posagent.toml"],
        env=environment(PYTHONUNBUFFERED="1"),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout:
        seen = next((line for line in process.stdout if line.startswith("daemon not running")), "")
        assert seen
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        process.stdout.read()
    assert process.wait(TIMEOUT_S) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_somebody_without_a_role_is_refused() -> None:
    """A user without rights to the store gets exit 4 and is told as whom to run it."""
    with tempfile.TemporaryDirectory(prefix="posagent-test-") as name:
        place = Path(name)
        fill(place)
        place.chmod(0o755)
        done = _as_nobody("status", "--state-dir", place / "state", "--socket", place / "api.sock")
    assert done.returncode == 4, done.stderr
    assert "root" in done.stderr


def _as_nobody(*arguments: object) -> subprocess.CompletedProcess[str]:
    # Imported first: the interpreter's own files may be out of that user's reach.
    become = (
        "import os, sys, http.client\n"
        "import agent.actions.table, agent.cli.offline, agent.cli.status, agent.cli.app as app\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        f"sys.exit(app.main({[str(argument) for argument in arguments]!r}))\n"
    )
    return subprocess.run(
        [sys.executable, "-c", become],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
