"""Hooks that mean harm, or might as well: floods, words that are commands, secrets let slip."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from agent.config.hooks import Hooks
from agent.core.health.reading import Reading
from agent.hooks import child
from agent.hooks.check import check
from agent.hooks.child import Launch
from agent.hooks.findings import Finding, HookError
from agent.hooks.part import HooksPart
from agent.supervise import DaemonThreads
from agent.wire.hook_table import ContractError, answer_from, hook_named, reading_from
from tests.fakes import FakeClock
from tests.hooks.test_pull import SAY, Make, ask, finding, gone, make, puller
from tests.hooks.test_stream_and_doors import Firmware, line, until

__all__ = ["make"]

READING = '{"contract":1,"outcome":"reading","component":"x","state":{"a":%s},"raw":%s}'
#: Longer than any turn of the loop may take here, on a loaded machine too.
TURN_S = 1.0


async def turns(work: asyncio.Task[object]) -> float:
    """The longest time the loop was kept from others while the work went on."""
    longest = 0.0
    while not work.done():
        before = time.monotonic()
        await asyncio.sleep(0.01)
        longest = max(longest, time.monotonic() - before)
    return longest


@pytest.mark.parametrize(
    "body",
    [
        "setsid sh -c 'echo $$ > {home}/pid; exec cat /dev/zero' & sleep 0.3; " + SAY,
        "echo $$ > {home}/pid; exec cat /dev/zero >&2",
        "echo $$ > {home}/pid; exec yes ''",
    ],
    ids=["a flood by somebody who left the group", "stderr without end", "empty lines"],
)
def test_a_flood_keeps_nobody_waiting(body: str, make: Make, tmp_path: Path) -> None:
    """The loop turns while a hook pours out more than is read, and the hook is ended."""
    make(body.replace("{home}", str(tmp_path)))

    async def asked() -> float:
        async def once() -> None:
            with pytest.raises(HookError):
                await puller(tmp_path, output_max_bytes=16_777_216).ask(
                    "probe.printer", component="printer"
                )

        return await turns(asyncio.create_task(once()))

    assert asyncio.run(asyncio.wait_for(asked(), 60)) < TURN_S
    assert gone(tmp_path / "pid")


def test_what_never_ends_is_left(make: Make, tmp_path: Path) -> None:
    """A stdout that always has more: the time for it runs out, and its end is not waited for."""
    make("exit 0")

    async def run() -> None:
        launch = Launch(directory=tmp_path / "hooks.d", name="probe.printer")
        running = await child.start(launch, DaemonThreads())
        pipe = running._process.stdout
        assert pipe is not None
        with Path("/dev/zero").open("rb") as endless:
            os.dup2(endless.fileno(), pipe.fileno())

        async def drain() -> None:
            while await running.read():
                pass

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(drain(), 0.2)
        await running.end(DaemonThreads())

    asyncio.run(run())


def test_stderr_without_end_is_read_in_mouthfuls(make: Make, tmp_path: Path) -> None:
    """A flood waits in its pipe: ten times 64 KiB a second at most."""
    make(
        "i=0; while :; do head -c 65536 /dev/zero >&2; i=$((i+1)); "
        f"echo $i > {tmp_path}/n.new; mv {tmp_path}/n.new {tmp_path}/n; done"
    )
    assert finding(tmp_path, deadline_s=1.0).word == "hangs"
    assert 1 <= int((tmp_path / "n").read_text()) <= 20


def test_a_stream_of_empty_lines_is_slowed_down(tmp_path: Path) -> None:
    """Lines that say nothing count as lines: what follows them is heard all the same."""
    firmware = Firmware(tmp_path)
    firmware.write(f"echo '{line(paper_out=True)}'; echo $$ > {tmp_path}/pid; exec yes ''")
    written: dict[str, int] = {}

    async def work(part: HooksPart) -> None:
        await until(part, lambda outcome: isinstance(outcome, Reading))
        await asyncio.sleep(2)
        pid = (tmp_path / "pid").read_text().strip()
        for row in Path(f"/proc/{pid}/io").read_text().splitlines():
            name, _, count = row.partition(": ")
            written[name] = int(count)

    firmware.run(work)
    assert written["wchar"] < 1_000_000  # what the pipe holds, and one mouthful a second


def test_a_check_of_a_flood_comes_to_an_end(make: Make, tmp_path: Path) -> None:
    """`hooks check` gives a stream of empty lines its ten seconds, and no more."""
    make("exec yes ''", name="stream.printer")
    config = Hooks(directory=str(tmp_path / "hooks.d"))
    (checked,) = asyncio.run(asyncio.wait_for(check(config, FakeClock(), DaemonThreads()), 60))
    assert [found.word for found in checked.doubtful] == ["no_line"]


@pytest.mark.parametrize("text", ["\x9b2J", "\x85", "\u2028", "\\u009b", "\\u2029", "\x7f"])
def test_control_characters_of_any_kind_are_refused(text: str) -> None:
    """Not only those below space: a terminal takes C1 for commands, others for line ends."""
    with pytest.raises(ContractError, match="control character"):
        reading_from((READING % (f'"{text}"', "1")).encode())
    said = (READING % ('"纸张 \u00e9\u3000\u2014"', "1")).encode()
    assert reading_from(said)


def test_numbers_beyond_reckoning_are_refused() -> None:
    """A whole number of 400 digits is JSON, and overflows whoever compares it with a limit."""
    for value, raw in (("9" * 400, "1"), ("1", "9" * 400), (str(2**53 + 1), "1"), ("1", "1" * 20)):
        with pytest.raises(ContractError):
            reading_from((READING % (value, raw)).encode())
    assert reading_from((READING % (-(2**53), -(2**63))).encode())


def test_a_finding_moves_no_cursor(make: Make, tmp_path: Path) -> None:
    """What a hook says on stderr, or names its keys, is shown without its control characters."""
    make("printf 'no \\033[2J\\302\\233service' >&2; exit 1")
    said = finding(tmp_path).what()
    assert "service" in said
    assert said.replace("\N{REPLACEMENT CHARACTER}", "").isprintable()
    make('echo \'{"contract":1,"outcome":"reading","\\u001b[2J4111111111111111":1}\'')
    said = finding(tmp_path).what()
    assert "unknown field" in said
    assert "\x1b" not in said
    assert "4111111111111111" not in said


@pytest.mark.parametrize(
    "said",
    [
        '{"contract":1,"outcome":"c2VjcmV0"}',
        '{"contract":1,"outcome":"told","c2VjcmV0":"x"}',
        "c2VjcmV0",
    ],
)
def test_a_key_in_the_wrong_place_is_not_quoted(said: str, make: Make, tmp_path: Path) -> None:
    """A sentence about a secret hook's answer never holds a piece of it."""
    make(f"echo c2VjcmV0 >&2; echo '{said}'", name="key.unwrap")

    async def asked() -> Finding:
        with pytest.raises(HookError) as caught:
            await puller(tmp_path).ask("key.unwrap", key_id="a", wrapped="aaaa")
        return caught.value.finding

    found = asyncio.run(asked())
    for lang in ("en", "zh"):
        assert "c2Vj" not in found.what(lang) + found.step(lang)
    hook = hook_named("key.unwrap")
    assert hook is not None
    with pytest.raises(ContractError):
        answer_from(hook, said.encode())


def test_it_starts_where_it_was_looked_at(make: Make, tmp_path: Path) -> None:
    """The directory it runs in and is told of is the one that was vetted, not a link to it."""
    make(f'pwd > {tmp_path}/pwd; echo "$HOOKS_DIR" >> {tmp_path}/pwd; {SAY}')
    (tmp_path / "link").symlink_to(tmp_path / "hooks.d")

    async def run() -> int:
        launch = Launch(directory=tmp_path / "link", name="probe.printer")
        running = await child.start(launch, DaemonThreads())
        running.feed(b"{}\n")
        while await running.read():
            pass
        code = await running.ended()
        await running.end(DaemonThreads())
        return code

    assert asyncio.run(run()) == 0
    assert (tmp_path / "pwd").read_text().split() == [str(tmp_path / "hooks.d")] * 2


def test_it_goes_before_the_agent_when_memory_runs_out(make: Make, tmp_path: Path) -> None:
    """Its score is its own, whatever the agent's unit says, and so is that of what it starts."""
    make(f"sleep 0.3; cat /proc/self/oom_score_adj > {tmp_path}/score; {SAY}")
    ask(tmp_path)
    assert int((tmp_path / "score").read_text()) == child.OOM_SCORE


def test_a_terminal_without_descriptors_or_threads_says_so(make: Make, tmp_path: Path) -> None:
    """Neither is the hook's fault, and neither gets past the component."""
    make(SAY)

    class Exhausted:
        def __init__(self, error: Exception) -> None:
            self.error = error

        async def call(self, *_: object) -> object:
            raise self.error

    for error in (OSError(24, "Too many open files"), RuntimeError("can't start new thread")):
        launch = Launch(directory=tmp_path / "hooks.d", name="probe.printer")
        with pytest.raises(HookError) as caught:
            asyncio.run(child.start(launch, Exhausted(error)))  # type: ignore[arg-type]
        assert caught.value.finding.word == "not_started"
        assert str(error) in caught.value.finding.what()
