"""`posagent sim …`: simulators as processes, and orders to them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cli.test_commands import TIMEOUT_S, environment, outcome, posagent, until


@contextmanager
def running(*arguments: object) -> Iterator[list[str]]:
    """A simulator; yields its first two lines and expects it to end well on SIGTERM."""
    process = subprocess.Popen(
        [sys.executable, "-m", "agent", "sim", *map(str, arguments)],
        env=environment(PYTHONUNBUFFERED="1"),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout:
        try:
            yield [process.stdout.readline().strip() for _ in range(2)]
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(TIMEOUT_S)
    assert code == 0


def test_printer_takes_orders_and_probe_sees_them(tmp_path: Path) -> None:
    """Paper pulled by one command is seen by `probe`, and loaded again by another."""
    tmp_path.chmod(0o700)
    tty, control = tmp_path / "printer", tmp_path / "control"
    config = tmp_path / "posagent.toml"
    config.write_text(f'[printer]\ndevice = "{tty}"\n')
    config.chmod(0o600)
    with running("printer", "--path", tty, "--control", control) as lines:
        assert lines == [f"printer {tty}", f"control {control}"]
        until(control.exists)
        assert outcome(posagent("sim", "printer", "--control", control, "paper", "out"))[0] == 0
        code, said = outcome(posagent("probe", "printer", "--config", config))
        assert code == 0
        assert "printer.paper_out" in said
        assert "load paper" in said.lower()
        assert outcome(posagent("sim", "printer", "--control", control, "paper", "ok"))[0] == 0
        told = json.loads(posagent("probe", "printer", "--config", config, "--json").stdout)
        assert told["conditions"] == []
        code, said = outcome(posagent("sim", "printer", "--control", control, "paper", "gold"))
        assert code == 2
        assert "paper ok|low|out" in said
    assert outcome(posagent("sim", "printer", "--control", control, "status"))[0] == 3


def test_a_network_printer_of_another_dialect(tmp_path: Path) -> None:
    """It listens where it says, answers in its own language and prints what it gets."""
    control, receipt = tmp_path / "control", tmp_path / "receipt.txt"
    arguments = ("--connection", "tcp", "--port", 0, "--dialect", "star", "--sensors", "end")
    order = ("sim", "printer", "--control", control)
    with running("printer", *arguments, "--control", control, "--receipt", receipt) as lines:
        host, port = lines[0].removeprefix("printer ").split(":")
        with socket.create_connection((host, int(port)), timeout=TIMEOUT_S) as client:
            client.sendall("合计\n".encode("gb18030") + b"\x1b\x06\x01")
            assert client.recv(64) == b"\x23\x06" + bytes(7)
            assert outcome(posagent(*order, "paper", "low"))[0] == 0
            client.sendall(b"\x1b\x06\x01")
            assert client.recv(64) == b"\x23\x06" + bytes(7)
            assert outcome(posagent(*order, "reset"))[0] == 0
            assert outcome(posagent(*order, "paper", "out"))[0] == 0
            client.sendall(b"\x1b\x06\x01")
            assert client.recv(64)[5] == 0x08
        told = json.loads(posagent(*order, "status").stdout)
        assert (told["dialect"], told["path"]) == ("star", f"{host}:{port}")
        told = json.loads(posagent(*order, "bytes").stdout)
        assert bytes.fromhex(told["receipt"]) == "合计\n".encode("gb18030")
    assert receipt.read_text("utf-8") == "合计\n"


def test_a_serial_printer_needs_a_path(tmp_path: Path) -> None:
    """Without one there is nothing to open: said before anything is started."""
    assert outcome(posagent("sim", "printer", "--control", tmp_path / "control"))[0] == 2


def test_host_takes_orders(tmp_path: Path) -> None:
    """A fault is switched on with its values and off again; the ledger can be read."""
    with running("host", "--ledger", tmp_path / "ledger.jsonl") as lines:
        assert lines[0].startswith("host http://127.0.0.1:")
        control = lines[1].removeprefix("control ")
        order = ("sim", "host", "--control", control)
        code, said = outcome(posagent(*order, "drop_after", "only=post", "times=1"))
        assert code == 0
        assert "drop_after" in said
        assert outcome(posagent(*order, "off"))[0] == 0
        assert json.loads(posagent(*order, "ledger").stdout) == []
        code, said = outcome(posagent(*order, "explode"))
        assert code == 2
        assert outcome(posagent(*order, "delay", "three"))[0] == 2
    assert outcome(posagent(*order, "state"))[0] == 3


def test_acquirer_takes_orders_and_prints_its_profile(tmp_path: Path) -> None:
    """Its profile can be pasted into a configuration; codes are given as their digits."""
    with running("acquirer", "--ledger", tmp_path / "book") as lines:
        assert lines[0].startswith("acquirer 127.0.0.1:")
        control = lines[1].removeprefix("control ")
        order = ("sim", "acquirer", "--control", control)
        code, said = outcome(posagent(*order, "code", "code=91", "only=payment"))
        assert code == 0
        assert json.loads(said)["fault"]["code"] == "91"
        assert outcome(posagent(*order, "off"))[0] == 0
        assert json.loads(posagent(*order, "ledger").stdout) == []
        assert outcome(posagent(*order, "explode"))[0] == 2
    assert outcome(posagent(*order, "state"))[0] == 3


def test_orders_need_an_address() -> None:
    """Orders to nowhere are refused with what is missing."""
    assert outcome(posagent("sim", "host", "refuse"))[0] == 2
    assert outcome(posagent("sim", "host", "--control", "ftp://x", "refuse"))[0] == 2
    if os.geteuid() == 0:
        assert outcome(posagent("sim", "printer", "--control", "/nonexistent/c", "help"))[0] == 3
