"""A card number set out as a canary: after a busy day it is found nowhere it must not be.

It travels where it may, in field 2 of a message whose profile declares that field protected, and
is tried in every place where it may not. Then everything the daemon wrote, logged, published or
answered is searched for it, in plain, packed, as hexadecimal digits and in base64 at any offset.
"""

from __future__ import annotations

import base64
import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.sim.acquirer import AcquirerThread
from agent.sim.acquirer_faults import Fault
from agent.sim.terminal import PaymentApp
from tests.process.daemon import PATIENCE_S, ROOT, Answer, Daemon, call, wait_until
from tests.process.fleet import AGENT, BrokerThread, Reader, at_once, telemetry

pytestmark = [pytest.mark.process, pytest.mark.broker]

#: Of a test range, valid in every way a card number can be; with 19 digits no other number is it.
CARD = "6222021234567890128"
QUICK = {
    "backoff_base_s": 0.1,
    "backoff_cap_s": 0.5,
    "host_in_flight_s": 1,
    "answer_timeout_s": 1.0,
    "pause_s": 1.0,
    "protected_fields": ["2"],
}
MASKED = "622202******0128"


def forms() -> dict[str, bytes]:
    """Each way the number could lie in a file; what is next to it may change its ends only."""
    plain = CARD.encode()
    found = {
        "plain": plain,
        "UTF-16": CARD.encode("utf-16-le"),
        "reversed": plain[::-1],
        "hexadecimal": plain.hex().encode(),
        "HEXADECIMAL": plain.hex().upper().encode(),
        "packed": bytes.fromhex(CARD[:18]),
        "packed, one digit on": bytes.fromhex(CARD[1:19]),
        "spaced": b" ".join(plain[at : at + 4] for at in range(0, 19, 4)),
    }
    for name in ("plain", "packed", "packed, one digit on"):
        for offset in range(3):
            coded = base64.b64encode(b"\x00" * offset + found[name])
            inner = coded[4 if offset else 0 : -4].rstrip(b"=")
            found[f"{name} in base64 at {offset}"] = inner
            found[f"{name} in base64url at {offset}"] = inner.translate(
                bytes.maketrans(b"+/", b"-_")
            )
    return found


FORMS = forms()


def seen(data: bytes) -> list[str]:
    """The forms in which the number is in these bytes."""
    return [name for name, form in FORMS.items() if form in data]


def files(folder: Path) -> Iterator[Path]:
    """Everything that lies in a folder, sockets aside."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def refused(daemon: Daemon, app: PaymentApp, heard: list[Answer]) -> None:
    """The number in every place where it may not be."""
    for number, changes in enumerate(
        (
            {"rrn": CARD},
            {"key": CARD},
            {"stan": CARD},
            {"pan": CARD},
            {CARD: "1"},
            {"app": {"name": f"till {CARD}", "version": "1"}},
            {"card": {"scheme": "UnionPay", "masked": CARD}},
            {"f57": CARD.encode().hex().upper()},
            {"f35": f"{CARD}D2512"},
            {"f55": "5A0A" + CARD + "F"},
            {"memo": {CARD: {"\x01": "x"}}},
            {"payload": {"content_type": "application/json", "text": json.dumps({"n": CARD})}},
        )
    ):
        fields = {name: str(value) for name, value in changes.items() if name[1:].isdecimal()}
        inside = {} if CARD in fields else fields
        rest = {name: value for name, value in changes.items() if name not in inside}
        body = app.sale(f"bad-{number}", **inside) | rest  # type: ignore[arg-type]
        answer = daemon.submit(body)
        assert answer.status in (400, 422), (changes, answer.body)
        heard.append(answer)
    heard.append(daemon.submit(f'{{"key":"x","n":{CARD}'.encode()))
    asks: list[tuple[str, Any]] = [
        ("/v1/check", {"card": {"masked": CARD}}),
        ("/v1/queue/hold", {"key": "posted", "reason": f"card {CARD}"}),
        ("/v1/queue/release", {"cause": CARD}),
        ("/v1/transactions/posted/resolve", {"outcome": "posted", "evidence": CARD}),
        ("/v1/transactions/posted/stages", {"stages": [{"n": 1, "stage": "sent", "note": CARD}]}),
        ("/v1/app/state", {"terminal_id": CARD, "at": CARD}),
        (
            "/v1/queue/abandon",
            {
                "key": "posted",
                "confirmation": {"outcome": "not_at_host", "reference": CARD, "said_by": "me"},
            },
        ),
    ]
    heard += [daemon.post(target, body) for target, body in asks]
    for target in (f"/v1/transactions/{CARD}", f"/v1/{CARD}", f"/v1/transactions?cause={CARD}"):
        heard.append(daemon.get(target))
    heard.append(call(daemon.socket, "GET", "/v1/status", headers={"x-card": CARD}))
    assert not [answer for answer in heard if answer.status < 400][:-1]
    raw = socket.socket(socket.AF_UNIX)
    with raw:
        raw.settimeout(PATIENCE_S)
        raw.connect(str(daemon.socket))
        raw.sendall(f"{CARD} / HTTP/9.9\r\n{CARD}: {CARD}\r\n\r\n".encode())
        heard.append(Answer(400, {}, raw.recv(65_536)))


def looked_at(daemon: Daemon, heard: list[Answer]) -> None:
    """All there is to read about payments and terminal."""
    for target in (
        "/v1/transactions?state=all",
        "/v1/transactions/posted?history=true",
        "/v1/transactions/posted/explain",
        "/v1/transactions/posted/stages",
        "/v1/transactions/open?history=true",
        "/v1/transactions/open/explain",
        "/v1/backlog",
        "/v1/health",
        "/v1/explain",
        "/v1/status",
    ):
        answer = daemon.get(target)
        assert answer.status == 200, (target, answer.body)
        heard.append(answer)


def said(daemon: Daemon, *arguments: str) -> bytes:
    """What a command prints, on either stream."""
    done = subprocess.run(
        daemon.command(*arguments, "--config", str(daemon.config_file)),
        capture_output=True,
        env=daemon._environment(),
        cwd=ROOT,
        timeout=PATIENCE_S,
        check=False,
    )
    return done.stdout + done.stderr


def test_the_canary_is_found_nowhere_else() -> None:
    """No file, no log line, no message, no answer, no output of a command holds the number."""
    with (
        BrokerThread() as broker,
        Reader(broker.port) as reader,
        AcquirerThread() as host,
        Daemon() as daemon,
    ):
        more = telemetry(broker.url) + at_once("queue.held")
        daemon.configure(host.acquirer.profile(**QUICK) + more, agent=AGENT)
        daemon.start()
        app = PaymentApp()
        heard: list[Answer] = []
        card = {"scheme": "UnionPay", "masked": MASKED}
        heard.append(daemon.submit(app.sale("posted", f2=CARD, card=card)))
        assert heard[-1].status == 201, heard[-1].body
        wait_until(lambda: daemon.record("posted").get("state") == "posted", "it is posted")
        host.apply(Fault.named("black_hole_after"))
        heard.append(daemon.submit(app.advice("open", f2=CARD, card=card)))
        assert heard[-1].status == 201
        wait_until(lambda: daemon.record("open")["in_doubt"], "its outcome is unknown")
        heard.append(daemon.post("/v1/queue/hold", {"key": "open", "reason": "looked at"}))
        refusals: list[Answer] = []
        refused(daemon, app, refusals)
        looked_at(daemon, heard)
        reader.until(lambda: reader.last("backlog").get("count") == 1, "the backlog")
        reader.until(lambda: reader.last("health").get("full"), "a full health report")
        printed = {
            " ".join(order): said(daemon, *order)
            for order in (
                ("status",), ("why",), ("why", "open"), ("queue", "list", "--all"),
                ("queue", "show", "posted"), ("queue", "show", "posted", "--json"),
            )
        }  # fmt: skip
        daemon.kill()  # once with the log as it lies there …
        places = _places(daemon)
        daemon.start()
        looked_at(daemon, heard)
        assert daemon.stop() == 0  # … and once folded
        places |= {f"{name}, stopped": data for name, data in _places(daemon).items()}
        assert places.keys() >= {"log", "state/journal.db", "state/state.db"}

        for name, data in places.items():
            assert not seen(data), f"{name}: {seen(data)}"
        for answer in (*heard, *refusals):
            told = answer.body + repr(sorted(answer.headers.items())).encode()
            assert not seen(told), told
        for name, output in printed.items():
            assert not seen(output), name
        assert reader.heard
        for message in reader.heard:
            assert not seen(message.payload + message.topic.encode()), message.topic


def _places(daemon: Daemon) -> dict[str, bytes]:
    """Everything below the daemon's home, but the configuration, which we wrote."""
    return {
        str(path.relative_to(daemon.home)): path.read_bytes()
        for path in files(daemon.home)
        if path != daemon.config_file
    }


@pytest.mark.parametrize("name", FORMS)
def test_the_search_finds_every_form(name: str, tmp_path: Path) -> None:
    """Control: hidden in the middle of a file, in each of the forms, the number is found."""
    base, _, offset = name.partition(" in base64")
    hidden = FORMS[name]
    if offset:
        before = b"\x00" * int(offset[-1])
        code = base64.urlsafe_b64encode if "url" in offset else base64.b64encode
        hidden = code(before + FORMS[base] + b"tail")
    file = tmp_path / "a" / "file"
    file.parent.mkdir()
    file.write_bytes(b"x" * 1_000 + hidden + b"y" * 1_000)
    assert [name for path in files(tmp_path) for name in seen(path.read_bytes())]
    assert name in seen(file.read_bytes())


def test_without_its_seal_the_payload_and_nothing_else_would_show_it() -> None:
    """Control: the number does travel, and the same search finds it in the unsealed payload."""
    with AcquirerThread() as host, Daemon() as daemon:
        app = PaymentApp()
        daemon.configure(host.acquirer.profile(**{**QUICK, "protected_fields": []}))
        daemon.start()
        assert daemon.submit(app.sale("k", f2=CARD)).code == "card.clear_data"
        assert daemon.stop() == 0
        daemon.configure(host.acquirer.profile(**QUICK) + "[store]\nseal = false\n")
        daemon.start()
        assert daemon.submit(app.sale("k", f2=CARD)).status == 201
        wait_until(lambda: daemon.record("k").get("state") == "posted", "it is posted")
        assert daemon.stop() == 0
        found = {name for name, data in _places(daemon).items() if seen(data)}
        assert found == {"state/journal.db"}
