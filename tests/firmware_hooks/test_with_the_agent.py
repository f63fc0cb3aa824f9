"""From a native code to the cause a cashier reads: hook, runner, door and conditions together."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from agent.config.hooks import Hooks
from agent.core.health.standard import STANDARD
from agent.hooks.pull import Puller
from agent.supervise import DaemonThreads
from agent.wire.hook_table import plain
from tests.fakes import FakeClock
from tests.firmware_hooks.expected_codes import EXPECTED
from tests.firmware_hooks.hooks_on_disk import HOOKS, VENDORS, load
from tests.process.daemon import Daemon, wait_until
from tests.process.fleet import at_once

native_code = load(VENDORS / "native_code.py")
FAULTS = {
    "paper_out", "paper_low", "paper_jam", "cover_open", "cutter_fault", "overheated",
    "hardware_fault", "low_voltage", "offline",
}  # fmt: skip


def judged(values: dict[str, Any]) -> dict[str, bool | None]:
    """What every condition of the printer makes of these values."""
    return {cond.code: sign.judge(values) for cond, sign in STANDARD.judged_by("printer")}


@pytest.mark.parametrize(("vendor", "name"), sorted(EXPECTED))
def test_each_fault_raises_its_own_cause_and_normal_ends_it(vendor: str, name: str) -> None:
    """`paper_out` of any vendor is printer.paper_out and nothing else; `normal` is none at all."""
    table = json.loads((VENDORS / vendor / f"{name}.json").read_text("utf-8"))
    for code, meaning in EXPECTED[vendor, name].items():
        if vendor == "feitian":
            field, _, value = str(code).partition("=")
            message = native_code.reading(table, {field: json.loads(value)})
        else:
            message = native_code.reading(table, code)
        if message["outcome"] == "unknown":
            continue
        conditions = judged(message["state"])
        raised = {cause for cause, holds in conditions.items() if holds}
        assert raised == ({f"printer.{meaning}"} if meaning in FAULTS else set()), code
        if meaning == "normal":
            ended = {cause for cause, holds in conditions.items() if holds is False}
            reachable = {f"printer.{one}" for one in EXPECTED[vendor, name].values()} & {
                f"printer.{fault}" for fault in FAULTS
            }
            assert reachable <= ended
        if meaning in ("busy", "job"):
            assert not [cause for cause, holds in conditions.items() if holds is not None]


def installed(place: Path, source: Path, native: Path) -> Path:
    """The hooks' directory as the README says: a folder in it, and a link to each hook."""
    hooks = place / "hooks.d"
    folder = hooks / source.name
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(VENDORS / "native_code.py", folder)
    for path in [folder, hooks, *hooks.rglob("*")]:
        path.chmod(0o755 if path.is_dir() or path.read_bytes().startswith(b"#!") else 0o644)
    module = folder / "native_code.py"
    # A runner's environment is bare: the place of the bridge's file is a line in the module.
    text = module.read_text("utf-8").replace("/run/posagent/native/printer.json", str(native))
    module.write_text(text, "utf-8")
    for hook in list(folder.iterdir()):
        if hook.read_bytes().startswith(b"#!"):
            text = hook.read_text("utf-8").replace("/usr/bin/env python3", sys.executable)
            hook.write_text(text, "utf-8")
            (hooks / hook.name).symlink_to(f"{folder.name}/{hook.name}")
    return hooks


def ask(hooks: Path, name: str, **fields: object) -> Any:
    config = Hooks(directory=str(hooks), deadline_s=20.0)
    answered = asyncio.run(Puller(config, FakeClock(), DaemonThreads()).ask(name, **fields))
    assert not answered.left_children
    return plain(answered.answer)


def test_the_real_runner_takes_a_vendors_hook(tmp_path: Path) -> None:
    """Vetted by owner and mode, started in a bare environment, its answer decoded by the agent."""
    native = tmp_path / "printer.json"
    native.write_text('{"code": -5, "model": "E800"}', "utf-8")
    hooks = installed(tmp_path, VENDORS / "pax", native)
    told = ask(hooks, "probe.printer", component="printer")
    assert told["outcome"] == "reading"
    assert told["state"]["cover_open"] is True
    assert told["raw"] == -5
    native.write_text("77", "utf-8")
    told = ask(hooks, "probe.printer", component="printer")
    assert (told["outcome"], told["raw"]) == ("unknown", 77)
    native.unlink()
    told = ask(hooks, "probe.printer", component="printer")
    assert told["outcome"] == "unknown"
    assert "bridge" in told["reason"]


def test_the_real_runner_takes_the_linux_hooks(tmp_path: Path) -> None:
    """On whatever machine this is: an answer of the contract to each of the three."""
    hooks = installed(tmp_path, HOOKS / "linux_generic", tmp_path / "none")
    assert ask(hooks, "identity")["outcome"] in {"told", "unknown"}
    assert ask(hooks, "inventory")["items"]
    assert ask(hooks, "probe.system", component="system")["outcome"] == "reading"


def test_hooks_check_finds_nothing_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What ships passes the tool vendors check theirs with."""
    from agent.cli.app import main  # loads the whole command line

    native = tmp_path / "printer.json"
    native.write_text("0", "utf-8")
    hooks = installed(tmp_path, VENDORS / "sunmi", native)
    native.write_text("4", "utf-8")
    assert main(["hooks", "check", str(hooks)]) == 0, capsys.readouterr().out
    assert "probe.printer" in capsys.readouterr().out


@pytest.mark.process
def test_a_pax_terminal_in_the_real_daemon(tmp_path: Path) -> None:
    """Out of paper, an unknown code, paper again: alarm, unknown with the raw value, no alarm."""
    native = tmp_path / "printer.json"
    native.write_text("0", "utf-8")
    with Daemon() as daemon:
        hooks = installed(daemon.home, VENDORS / "pax", native)
        daemon.configure(
            f'{at_once("printer.paper_out")}\n[hooks]\ndirectory = "{hooks}"\n'
            '[[hook]]\ncomponent = "printer"\nperiod_s = 5\n'
        )
        daemon.start()

        def printer() -> dict[str, Any]:
            return daemon.components().get("printer", {})

        wait_until(lambda: printer().get("outcome") == "reading", "the first reading")
        assert "printer.paper_out" not in daemon.alarms()
        native.write_text("2", "utf-8")
        wait_until(lambda: "printer.paper_out" in daemon.alarms(), "out of paper")
        native.write_text("77", "utf-8")
        wait_until(lambda: printer()["outcome"] == "unknown", "an unknown code")
        assert "77" in printer()["reason"]
        # Nobody has seen paper yet.
        assert "printer.paper_out" in daemon.alarms()
        native.write_text("0", "utf-8")
        wait_until(lambda: "printer.paper_out" not in daemon.alarms(), "paper again")
        assert daemon.stop() == 0
