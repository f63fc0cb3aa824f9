"""The simulated acquirer: what it posts, how it is broken, who gives it orders."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from agent.core.money.iso8583 import Message
from agent.errors import OperatorError
from agent.sim.acquirer import Acquirer, AcquirerOptions, AcquirerThread
from agent.sim.acquirer_book import KEYS_62, Book, read_book, sums
from agent.sim.acquirer_faults import NAMED, Fault, FaultSwitch, Scope
from agent.sim.terminal import PaymentApp
from agent.uplink.iso8583.codec import Codec

APP = PaymentApp()


def message(mti: str, stan: str = "000001", amount: int | None = 1250, **more: str) -> Message:
    network = more.pop("network", "000")
    return Codec().decode(APP.message(mti, stan, amount=amount, network=network, **more))


def book(path: Path | None = None, *, ignore: bool = False) -> Book:
    return Book(path, lambda: 1, ignore_duplicates=ignore, sync=False)


def test_a_payment_is_posted_once_by_terminal_batch_and_stan() -> None:
    """A repeated request is 94, a repeated advice gets its first answer again."""
    it = book()
    assert it.answer(message("0200")).get("39") == "00"
    assert it.answer(message("0200")).get("39") == "94"
    first = it.answer(message("0220", "000002"))
    again = it.answer(message("0220", "000002"))
    assert (again.mti, again.get("39"), again.get("37")) == ("0230", "00", first.get("37"))
    assert it.answer(message("0201")).get("39") == "00"
    other = PaymentApp(batch="000002").message("0200", "000001", amount=1250)
    assert it.answer(Codec().decode(other)).get("39") == "00"
    total = sums(it.entries())
    assert (total.posted, total.net_minor, total.duplicates) == (3, 3750, ())


def test_the_positive_control_posts_twice() -> None:
    """A host that ignores repeats must be seen as one."""
    it = book(ignore=True)
    it.answer(message("0200"))
    it.answer(message("0200"))
    assert sums(it.entries()).duplicates == ("T0000001/000001/000001",)


def test_reversals() -> None:
    """Taken back once; what was never there is 25, and its late original stays out."""
    it = book()
    it.answer(message("0200"))
    assert it.answer(message("0400", f39="98")).get("39") == "00"
    assert it.answer(message("0400", f39="98")).get("39") == "00"
    assert it.answer(message("0400", "000009", f39="98")).get("39") == "25"
    assert it.answer(message("0400", "000009", f39="98")).get("39") == "25"
    assert it.answer(message("0200", "000009")).get("39") == "94"
    assert it.answer(message("0400", "000008", f39="98"), post=False).get("39") == "00"
    assert sums(it.entries()).net_minor == 0


def test_voids_need_their_original() -> None:
    """By batch and STAN in field 61."""
    it = book()
    assert it.answer(message("0200", "000002", f61="0000010000011101")).get("39") == "25"
    it.answer(message("0200", "000001"))
    assert it.answer(message("0200", "000003", f61="0000010000011101")).get("39") == "00"


def test_sign_on_batch_and_settlement() -> None:
    """Keys with the sign-on of 003; uploads and settlements are entries of their own."""
    it = book()
    said = it.answer(message("0800", amount=None, network="003"))
    assert (said.mti, said.get("39"), said.get("62")) == ("0810", "00", KEYS_62)
    assert "62" not in it.answer(message("0820", amount=None, network="301")).fields
    it.answer(message("0320", "000005", None, network="201"))
    it.answer(message("0500", "000006", None, network="201"))
    total = sums(it.entries())
    assert (total.uploaded, total.settled, total.posted) == (1, 1, 0)


def test_a_refusal_posts_nothing() -> None:
    """Only approvals move money."""
    it = book()
    assert it.answer(message("0200"), "51").get("39") == "51"
    assert it.answer(message("0200"), post=False).get("39") == "00"
    assert it.entries() == []


def test_the_book_survives_and_a_torn_line_does_not_count(tmp_path: Path) -> None:
    """What is in the file is known after a restart; a damaged line is said."""
    path = tmp_path / "book"
    it = book(path)
    it.answer(message("0200"))
    it.close()
    it.close()
    again = book(path)
    assert again.answer(message("0200")).get("39") == "94"
    again.close()
    with path.open("ab") as file:
        file.write(b'{"torn":')
    assert len(read_book(path)) == 1
    path.write_bytes(b"{}\n")
    with pytest.raises(OperatorError, match="line 1"):
        read_book(path)


def test_faults_by_name() -> None:
    """Numbers of a command line are read as codes and fields; nonsense is refused."""
    assert Fault.named("code", code=6).code == "06"
    assert Fault.named("wrong_stan", field=41).field == "41"
    assert Fault.named("code", only="reversal").only is Scope.REVERSAL
    for name, changes in (
        ("nobody", {}),
        ("code", {"kind": "drop"}),
        ("code", {"times": -1}),
        ("code", {"only": "all of them"}),
        ("code", {"after": "yes"}),
        ("code", {"colour": "red"}),
    ):
        with pytest.raises(OperatorError):
            Fault.named(name, **changes)


def test_mixes_are_seeded_and_checked() -> None:
    """The same seed draws the same faults."""
    drawn = []
    for _ in range(2):
        switch = FaultSwitch()
        switch.set_mix({"drop_before": 0.3, "garbage": 0.3}, seed=7)
        drawn.append([switch.draw(Scope.PAYMENT).name for _ in range(50)])
    assert drawn[0] == drawn[1]
    assert set(drawn[0]) == {"drop_before", "garbage", "none"}
    for wrong in ({"refuse": 0.1}, {"code": -1.0}, {"code": 0.6, "garbage": 0.6}):
        with pytest.raises(OperatorError):
            FaultSwitch().set_mix(wrong)


def test_the_control_port(tmp_path: Path) -> None:
    """State, book and faults over http; not for web pages."""
    opener = build_opener(ProxyHandler({}))

    def ask(url: str, body: object = None, **headers: str) -> tuple[int, object]:
        data = None if body is None else json.dumps(body).encode()
        request = Request(url, data, {"Content-Type": "application/json", **headers})
        try:
            with opener.open(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except OSError as error:
            with error:  # type: ignore[attr-defined]
                return error.code, None  # type: ignore[attr-defined]

    with AcquirerThread(AcquirerOptions(book_file=tmp_path / "book")) as thread:
        url = thread.acquirer.control_url
        status, state = ask(url)
        assert status == 200
        assert isinstance(state, dict)
        assert state["fault"]["name"] == "none"
        assert ask(url, {"fault": "code", "code": "91"})[0] == 200
        assert ask(url, {"mix": {"garbage": 0.5}, "seed": 3})[0] == 200
        assert ask(url, {"fault": "refuse"})[0] == 200
        assert ask(url, {"mix": {"garbage": 0.5}})[0] == 200
        assert ask(url, {"fault": "none"})[0] == 200
        assert ask(url, {"fault": "nobody"})[0] == 400
        assert ask(url, {"what": 1})[0] == 400
        assert ask(url + "/ledger") == (200, [])
        assert ask(url + "/else")[0] == 404
        assert ask(url, None, Origin="https://evil.example")[0] == 403
        thread.apply(NAMED["none"])


def test_bytes_that_are_no_message_end_the_connection() -> None:
    """As a host does that is out of step."""

    async def story() -> None:
        acquirer = Acquirer()
        await acquirer.start()
        try:
            for raw in (b"\xff\xff", acquirer.options.layout.framed(b"\xff" * 40)):
                reader, writer = await asyncio.open_connection("127.0.0.1", acquirer.port)
                writer.write(raw)
                assert await reader.read(10) == b""
                writer.transport.abort()
        finally:
            await acquirer.close()

    asyncio.run(story())


def test_the_simulated_app_hands_over_what_the_contract_asks_for() -> None:
    """Every kind, without card data."""
    app = PaymentApp()
    bodies = [
        app.sale("a"), app.advice("b"), app.void("c", "a", "000001"),
        app.reversal("d", "a", "000001"), app.batch_upload("e", ["b"]), app.settlement("f"),
    ]  # fmt: skip
    for body in bodies:
        decoded = Codec().decode(base64.b64decode(body["payload"]["base64"]))
        assert decoded.get("11") == body["stan"]
        assert not set(decoded.fields) & {"2", "14", "35", "36", "45", "52", "55"}
    assert set(bodies[0]["reversal_payloads"]) == {"98", "96", "A0", "06"}
