"""Slips on request, through the real daemon: on paper where the printer is ready, else a reason."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from agent.core.slips.compact import decode
from tests.process.daemon import LONG_S, ROOT, Daemon, payment, wait_until
from tests.process.fleet import LoopThread, Printer
from tests.process.shell import typed

pytestmark = pytest.mark.process


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    with Daemon() as daemon:
        yield daemon


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    with LoopThread() as loop:
        yield loop


def command(daemon: Daemon, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*daemon.command(*arguments, "--lang", "zh", "--config", str(daemon.config_file))],
        capture_output=True,
        text=True,
        env={**daemon._environment(), "COLUMNS": "200"},
        cwd=ROOT,
        timeout=LONG_S,
        check=False,
    )


def ready(daemon: Daemon) -> bool:
    return daemon.components().get("printer", {}).get("values", {}).get("paper") == "ok"


def why(daemon: Daemon) -> list[str]:
    found: dict[str, Any] = daemon.get("/v1/explain").json
    return [code for one in found["findings"] for code in (one["code"], *one["consequences"])]


def test_a_slip_is_printed_on_request_and_refused_on_an_empty_roll(
    daemon: Daemon, loop: LoopThread
) -> None:
    """What the printer printed is the text of the slip; out of paper nothing is sent, and the
    verdict names the printer until the slip was printed; a dead daemon still shows it."""
    with Printer(loop, daemon) as printer:
        daemon.configure(f'[printer]\ndevice = "{printer.device}"\nperiod_s = 3600.0\n')
        daemon.start()
        wait_until(lambda: ready(daemon), "the first reading")
        assert daemon.submit(payment("s-1")).status == 201
        wait_until(lambda: daemon.unsent() == 1, "a payment")

        body = {"lang": "zh"}
        said = lambda kind: daemon.post(f"/v1/slips/{kind}/print", body)  # noqa: E731
        wait_until(lambda: said("diagnostic").status != 409, "that nobody is paying")
        assert "终端诊断" in printer._printer.printed
        assert b"\x1b\x40" not in printer._printer.received  # ESC @ is the payment app's
        shown = daemon.get("/v1/slips/voucher?key=s-1&lang=zh").json["lines"]
        printer._printer.printed = ""
        done = command(daemon, "slip", "print", "voucher", "s-1")
        assert done.returncode == 0, done.stderr
        assert "已确认" in done.stdout
        printed = printer._printer.printed.rstrip("\n").split("\n")
        assert printed[:-1] == shown[:-1]  # the last says when
        assert printed[0].strip() == "交易凭证"

        printer.switch(paper="out")
        before = len(printer._printer.printed)
        refused = said("presettlement")
        assert (refused.status, refused.code) == (409, "slip.not_ready")
        assert "out of paper" in refused.json["detail"]
        assert len(printer._printer.printed) == before
        wait_until(lambda: "presettlement.not_generated" in why(daemon), "the verdict")
        printer.switch(paper="ok")
        assert said("presettlement").json["confirmed"] is True
        assert "presettlement.not_generated" not in why(daemon)

        line = next(
            one
            for one in "".join(daemon.get("/v1/slips/diagnostic").json["lines"]).split("PA1")[1:]
        )
        assert decode("PA1" + line.split("技术")[0].strip()).unsent == 1
        daemon.kill()
        file = daemon.home / "slip.png"
        done = typed(daemon, "slip", "show", "voucher", "s-1", "--png", str(file), lang="zh")
        assert done.returncode == 0, done.stderr
        assert file.read_bytes().startswith(b"\x89PNG")
        assert "交易凭证" in typed(daemon, "slip", "show", "voucher", "s-1", lang="zh").stdout
        dead = typed(daemon, "slip", "print", "diagnostic", lang="zh")
        assert dead.returncode != 0
        assert "只有运行中的监测程序能打印" in dead.stderr
