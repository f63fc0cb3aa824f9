"""`python -m tests.hostile`: 10,000 slow clients and every probe against the real daemon.

Ends with 0 when every payment was taken and every hostile client was ended, and when the control
(no deadlines, the hostile user may submit) did keep payments out; with 1 otherwise.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import sys
import threading
from pathlib import Path

from tests.hostile import rig
from tests.process.daemon import Daemon, payment, wait_until


def under_a_crowd(total: int, wave: int) -> tuple[str, bool]:
    """Lines for the report, and whether it held."""
    with Daemon() as daemon:
        daemon.quick = False
        nobody = rig.NOBODY if os.geteuid() == 0 else os.getuid()
        page = rig.PAGE.format(home=daemon.home)
        daemon.configure(rig.IMPATIENT.format(nobody=f'"{nobody}"') + page)
        daemon.start()
        before = rig.descriptors(daemon)
        paying = rig.Paying(daemon)
        app = threading.Thread(target=paying.run)
        app.start()
        try:
            ends = rig.crowd(daemon, total, wave, uid=nobody if os.geteuid() == 0 else 0)
        finally:
            paying.stop.set()
            app.join()
        wait_until(lambda: rig.descriptors(daemon) <= before + 4, "its descriptors are free")
        kept = sum(daemon.get(f"/v1/transactions/{key}").status == 200 for key in paying.keys)
        answer = daemon.get("/v1/status").status
        count, wrong = rig.tried(daemon)
        hurt = rig.control(daemon)
    waits = sorted(paying.waits_ms)
    held = (
        bool(waits) and kept == len(waits) and not ends.get("still open") and answer == 200
        and not wrong and hurt
    )  # fmt: skip
    said = ", ".join(f"{count} × {end}" for end, count in sorted(ends.items()))
    told = (
        f"- {total} slow clients, {wave} at once, of another user, half at the socket and half at"
        f" the page: {said}. Left open at the end: {ends.get('still open', 0)}.\n"
        f"- Meanwhile {len(waits)} payments were handed over and {kept} found again; median"
        f" {statistics.median(waits):.0f} ms, longest {waits[-1]:.0f} ms;"
        f" tries that were refused on the way: {sum(paying.refusals.values())}"
        f" {dict(paying.refusals) or ''}.\n"
        f"- {count} hostile requests at both listeners: {len(wrong)} answered otherwise than they"
        f" must be{': ' + '; '.join(wrong) if wrong else ''}.\n"
        f"- Control: the payment hidden behind them, said openly at the socket, is taken: {hurt}."
    )
    return told, held


def without_defence() -> tuple[str, bool]:
    """Control: slots nobody reserves and deadlines that never come keep payments out."""
    with Daemon() as daemon:
        daemon.quick = False
        daemon.configure(rig.DEFENCELESS.format(nobody=f'"{os.getuid()}"'))
        daemon.start()
        clients = []
        try:
            for _ in range(64):
                sock = socket.socket(socket.AF_UNIX)
                sock.connect(str(daemon.socket))
                sock.sendall(b"GET / HTTP/1.1\r\n")
                clients.append(sock)
            answer = daemon.submit(payment())
        finally:
            for sock in clients:
                sock.close()
        out = answer.code == "server.busy"
    became = "kept out (503 server.busy)" if out else "still taken"
    return f"- Control: 64 clients that may submit, no deadline: a payment is {became}.", out


def main(words: list[str]) -> int:
    """The command."""
    said = argparse.ArgumentParser()
    said.add_argument("--clients", type=int, default=10_000)
    said.add_argument("--wave", type=int, default=500)
    said.add_argument("--report", type=Path)
    asked = said.parse_args(words)
    lines, held = under_a_crowd(asked.clients, asked.wave)
    line, failed_as_it_must = without_defence()
    verdict = "held" if held and failed_as_it_must else "DID NOT HOLD"
    text = (
        "# Hostile clients of the local API\n\nWritten by `python -m tests.hostile --report"
        " docs/reports/hostile.md`; deadlines of the API set to 1 s, so that ten thousand clients"
        f" are through in minutes.\n\n{lines}\n{line}\n\nResult: **{verdict}**.\n"
    )
    print(text)
    if asked.report:
        asked.report.write_text(text, encoding="utf-8")
    return 0 if held and failed_as_it_must else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
