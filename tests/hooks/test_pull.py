"""Pull hooks: whatever a hook does, one clear finding, nothing left behind, nobody else delayed."""

from __future__ import annotations

import asyncio
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.config.hooks import Hooks
from agent.hooks import files
from agent.hooks.findings import Finding, HookError
from agent.hooks.pull import Answered, Puller
from agent.supervise import DaemonThreads
from agent.wire.hooks import HookReading
from tests.fakes import FakeClock

Make = Callable[..., Path]
NAME = "probe.printer"
ANSWER = '{"contract":1,"outcome":"reading","component":"printer","state":{"paper_out":true}}'
SAY = f"echo '{ANSWER}'"
DEADLINE_S = 2.0


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Writes a hook nobody else can change."""
    home = tmp_path / "hooks.d"
    home.mkdir(mode=0o755)

    def write(body: str, name: str = NAME, mode: int = 0o755, head: str = "#!/bin/sh\n") -> Path:
        path = home / name
        path.write_text(head + body + "\n", "utf-8")
        path.chmod(mode)
        return path

    return write


def puller(tmp_path: Path, clock: FakeClock | None = None, **more: float) -> Puller:
    settings = {"deadline_s": DEADLINE_S, "output_max_bytes": 4096, **more}
    config = Hooks(directory=str(tmp_path / "hooks.d"), **settings)  # type: ignore[arg-type]
    return Puller(config, clock or FakeClock(), DaemonThreads())


def ask(tmp_path: Path, **more: float) -> Answered:
    descriptors = set(Path("/proc/self/fd").iterdir())
    try:
        return asyncio.run(puller(tmp_path, **more).ask(NAME, component="printer"))
    finally:
        assert set(Path("/proc/self/fd").iterdir()) == descriptors, "a descriptor leaked"


def finding(tmp_path: Path, **more: float) -> Finding:
    with pytest.raises(HookError) as caught:
        ask(tmp_path, **more)
    found = caught.value.finding
    for lang in ("en", "zh"):
        assert found.what(lang)
        assert found.step(lang)
    return found


def gone(pid_file: Path) -> bool:
    """Whether the process whose id a hook wrote down is dead, within a moment."""
    pid = int(pid_file.read_text())
    ends = time.monotonic() + 10
    while time.monotonic() < ends:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state in "ZX":
            return True
        time.sleep(0.01)
    return False


def test_an_answer_is_taken(make: Make, tmp_path: Path) -> None:
    """The request comes in on stdin, the answer goes out on stdout."""
    make(f'read line; echo "$line" > {tmp_path}/request; {SAY}')
    answered = ask(tmp_path)
    assert isinstance(answered.answer, HookReading)
    assert answered.answer.state == {"paper_out": True}
    assert not answered.left_children
    request = (tmp_path / "request").read_text()
    for part in ('"contract":1', '"hook":"probe.printer"', '"component":"printer"', "2000"):
        assert part in request


def test_nothing_of_ours_is_in_its_environment(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No variable but those the contract names, no descriptor of ours, its own session."""
    monkeypatch.setenv("SECRET_TOKEN", "1")
    make(
        f"env | cut -d= -f1 | sort > {tmp_path}/env; ls /proc/$$/fd > {tmp_path}/fds; "
        f"cut -d' ' -f5,6 /proc/$$/stat > {tmp_path}/ids; echo $$ >> {tmp_path}/ids; {SAY}"
    )
    with (tmp_path / "held").open("w") as held:
        os.dup2(held.fileno(), 77, inheritable=True)
        try:
            ask(tmp_path)
        finally:
            os.close(77)
    names = set((tmp_path / "env").read_text().split()) - {"PWD", "OLDPWD", "SHLVL", "_"}
    assert names == {"PATH", "LANG", "HOOK", "HOOKS_DIR", "HOOK_RUN"}
    group, session, pid = (tmp_path / "ids").read_text().split()
    assert group == session == pid
    assert "77" not in (tmp_path / "fds").read_text().split()


def test_one_that_hangs_is_killed(make: Make, tmp_path: Path) -> None:
    """The deadline ends it; the sentence says how much it had printed."""
    make(f"echo $$ > {tmp_path}/pid; printf abc; exec sleep 600")
    found = finding(tmp_path, deadline_s=0.5)
    assert found.word == "hangs"
    assert "0.5 s" in found.what()
    assert "3 bytes" in found.what()
    assert gone(tmp_path / "pid")


def test_its_children_are_killed_with_it(make: Make, tmp_path: Path) -> None:
    """A hook that forks and hangs takes its whole group along, also those who ignore signals."""
    make(
        f"(trap '' TERM HUP INT; exec sleep 600) & echo $! > {tmp_path}/child; "
        f"echo $$ > {tmp_path}/pid; wait"
    )
    assert finding(tmp_path, deadline_s=0.5).word == "hangs"
    assert gone(tmp_path / "pid")
    assert gone(tmp_path / "child")


def test_children_left_behind_are_killed_and_told(make: Make, tmp_path: Path) -> None:
    """An answer counts although its hook left a process running; that one ends, and is told."""
    make(f"sleep 600 & echo $! > {tmp_path}/child; {SAY}")
    answered = ask(tmp_path)
    assert answered.left_children
    assert answered.answer.state == {"paper_out": True}
    assert gone(tmp_path / "child")


def test_one_that_leaves_its_group_is_found(make: Make, tmp_path: Path) -> None:
    """A child with a session of its own that holds our pipe is ended as well."""
    make(f"setsid sh -c 'echo $$ > {tmp_path}/child; exec sleep 600' & "
         f"while ! [ -s {tmp_path}/child ]; do sleep 0.01; done; {SAY}")  # fmt: skip
    started = time.monotonic()
    assert ask(tmp_path, deadline_s=30.0).answer.state == {"paper_out": True}
    assert time.monotonic() - started < 20
    assert gone(tmp_path / "child")


def test_ten_megabytes_are_not_read(make: Make, tmp_path: Path) -> None:
    """Output over the limit ends the hook long before it is all taken in."""
    make("head -c 10000000 /dev/zero; echo done > printed")
    found = finding(tmp_path, deadline_s=30.0)
    assert found.word == "too_much"
    assert "4096" in found.what()
    assert not (tmp_path / "hooks.d/printed").exists()


def test_ten_megabytes_of_complaints_harm_nobody(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """stderr never blocks a hook, is cut, and card numbers in it are masked."""
    make(f"echo 'card 4111111111111111' >&2; head -c 10000000 /dev/zero >&2; {SAY}")
    caplog.set_level("INFO", "agent.hooks.pull")
    assert ask(tmp_path, deadline_s=30.0).answer.state == {"paper_out": True}
    said = next(r.getMessage() for r in caplog.records if "hook_said" in r.getMessage())
    assert "411111" in said
    assert "4111111111111111" not in said
    assert len(said) < 4_000


@pytest.mark.parametrize(
    ("body", "word", "said"),
    [
        ("exit 1", "exit", "exit code 1"),
        ("echo no printer service >&2; exit 3", "exit", "no printer service"),
        ("kill -9 $$", "signal", "signal 9"),
        (f"{SAY}; exit 1", "exit", "exit code 1"),
        (":", "no_output", "without printing"),
        ("exec 1>&-; sleep 0.1", "no_output", "without printing"),
        ("echo '{\"contract\":1'", "not_json", "not print JSON"),
        ("echo printer ok", "not_json", "not print JSON"),
        (f"{SAY}; {SAY}", "not_json", "trailing"),
        ("echo '{}'", "contract", "contract"),
        (f"{SAY} | sed s/paper_out/paperout/", "contract", "paperout"),
    ],
)
def test_each_wrong_end_has_its_own_finding(
    body: str, word: str, said: str, make: Make, tmp_path: Path
) -> None:
    """What went wrong is one word for programs and one sentence for people."""
    make(body)
    found = finding(tmp_path)
    assert found.word == word
    assert said in found.what() + found.step()


@pytest.mark.parametrize(
    "body",
    [
        f"exec 0<&-; {SAY}",
        f"printf %s '{ANSWER[:20]}'; sleep 0.3; printf %s '{ANSWER[20:]}'",
        f"{SAY}; exec 1>&- 2>&-; sleep 0.3",
    ],
)
def test_odd_but_right_is_right(body: str, make: Make, tmp_path: Path) -> None:
    """One that closes stdin, writes slowly, or ends late, within its deadline, has answered."""
    make(body)
    assert ask(tmp_path).answer.state == {"paper_out": True}


def test_a_request_larger_than_a_pipe_does_not_wait(make: Make, tmp_path: Path) -> None:
    """A hook that does not read its stdin holds nobody up."""
    make(f"sleep 0.2; {SAY}")

    async def run() -> Answered:
        asked = puller(tmp_path)
        from agent.wire.hook_table import hook_named

        hook = hook_named(NAME)
        assert hook is not None
        return await asked.run(hook, NAME, b"x" * 1_000_000)

    assert asyncio.run(run()).answer.state == {"paper_out": True}


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o777])
def test_one_that_others_can_write_is_refused(mode: int, make: Make, tmp_path: Path) -> None:
    """Group- or world-writable: not run, and said so with the mode."""
    make(f"touch {tmp_path}/ran; {SAY}", mode=mode)
    found = finding(tmp_path)
    assert found.word == "writable"
    assert stat.filemode(0o100000 | mode) in found.what()
    assert not (tmp_path / "ran").exists()


def test_a_place_others_can_write_to_is_refused(make: Make, tmp_path: Path) -> None:
    """Neither the directory nor one above it may be open to strangers."""
    make(SAY)
    for place in (tmp_path / "hooks.d", tmp_path):
        mode = place.stat().st_mode
        place.chmod(0o777)
        assert finding(tmp_path).word == "place_writable"
        place.chmod(mode)
    assert ask(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_one_of_a_stranger_is_refused(make: Make, tmp_path: Path) -> None:
    """A file or directory of another user is not run."""
    path = make(SAY)
    os.chown(path, 12_345, 0)
    assert finding(tmp_path).word == "owner"
    os.chown(path, 0, 0)
    os.chown(path.parent, 12_345, 0)
    assert finding(tmp_path).word == "place_owner"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_on_android_the_system_owns_what_is_above(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """/data is system:system 0771 there; elsewhere uid 1000 is anybody. Files are never theirs."""
    path = make(SAY)
    os.chown(tmp_path, 1_000, 1_000)
    tmp_path.chmod(0o771)
    assert finding(tmp_path).word == "place_owner"
    monkeypatch.setattr(files, "_on_android", lambda: True)
    assert ask(tmp_path)
    tmp_path.chmod(0o773)
    assert finding(tmp_path).word == "place_writable"
    tmp_path.chmod(0o771)
    os.chown(path, 1_000, 1_000)
    assert finding(tmp_path).word == "owner"


def test_a_link_out_of_the_directory_is_refused(make: Make, tmp_path: Path) -> None:
    """A link inside is a name; one that leads out is not followed."""
    path = make(SAY)
    outside = path.rename(tmp_path / "elsewhere")
    path.symlink_to(outside)
    found = finding(tmp_path)
    assert found.word == "link_outside"
    assert str(outside) in found.what()
    path.unlink()
    outside.rename(path.with_name("vendor-tool"))
    path.symlink_to("vendor-tool")
    assert ask(tmp_path).answer.state == {"paper_out": True}


def test_what_cannot_be_run_says_why(make: Make, tmp_path: Path) -> None:
    """Not there, a directory, not executable, no interpreter, carriage returns: each by itself."""
    assert finding(tmp_path).word == "missing"
    (tmp_path / "hooks.d" / NAME).mkdir()
    assert finding(tmp_path).word == "not_a_file"
    (tmp_path / "hooks.d" / NAME).rmdir()
    path = make(SAY, mode=0o600)
    assert finding(tmp_path).word == "not_executable"
    path.unlink()
    make(SAY, head="#!/bin/sh\r\n")
    assert finding(tmp_path).word == "not_started"
    make("no program", head="")
    assert finding(tmp_path).word == "not_started"
    (tmp_path / "hooks.d" / NAME).unlink()
    (tmp_path / "hooks.d").rmdir()
    assert finding(tmp_path).word == "no_directory"


def test_three_failures_in_a_row_and_it_rests(make: Make, tmp_path: Path) -> None:
    """Then it is not run until the rest is over, or its file has changed; an answer ends it."""
    make(f"echo x >> {tmp_path}/runs; exit 1")
    clock = FakeClock()

    async def run() -> list[str]:
        asked = puller(tmp_path, clock, rest_s=30.0, rest_max_s=40.0)
        words: list[str] = []

        async def once() -> None:
            try:
                await asked.ask(NAME, component="printer")
                words.append("")
            except HookError as error:
                words.append(error.finding.word)

        for seconds in (0, 0, 0, 0, 29, 2, 39, 2):
            clock.advance(seconds)
            await once()
        make(SAY)
        await once()
        make("exit 1")
        await once()
        return words

    words = asyncio.run(run())
    rests = ["exit", "exit", "exit", "resting", "resting", "exit", "resting", "exit", "", "exit"]
    assert words == rests
    assert len((tmp_path / "runs").read_text().split()) == 5


def test_a_cancelled_run_leaves_nothing(make: Make, tmp_path: Path) -> None:
    """The daemon stops in the middle of a hook: it ends with it, and no pipe stays open."""
    make(f"echo $$ > {tmp_path}/pid; exec sleep 600")
    descriptors = set(Path("/proc/self/fd").iterdir())

    async def run() -> None:
        task = asyncio.create_task(puller(tmp_path, deadline_s=60.0).ask(NAME, component="printer"))
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert gone(tmp_path / "pid")
    assert set(Path("/proc/self/fd").iterdir()) == descriptors


def test_actions_and_unknown_names_are_never_run(make: Make, tmp_path: Path) -> None:
    """The agent itself has no way to run an action hook."""
    make(SAY, name="app.restart")
    for name in ("app.restart", "print", "shell", "../sh"):
        with pytest.raises(ValueError, match="not a pull hook"):
            asyncio.run(puller(tmp_path).ask(name))
