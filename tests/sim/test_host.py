"""The reference host keeps the receiver contract, and breaks it exactly where told to."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from agent.errors import OperatorError
from agent.sim.certificates import Certificates, available, make_certificates
from agent.sim.host import HostOptions, HostThread, serve
from agent.sim.host_faults import NAMED, Fault, FaultSwitch, Scope
from agent.sim.ledger import read_ledger, sums

TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: Any


class NoAnswerError(Exception):
    """The connection ended, or stayed silent, without a whole answer."""


def ask(
    url: str,
    method: str = "GET",
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    *,
    tls: ssl.SSLContext | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Answer:
    parts = urlsplit(url)
    connection: http.client.HTTPConnection
    if tls is not None:
        connection = http.client.HTTPSConnection(parts.netloc, context=tls, timeout=timeout_s)
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=timeout_s)
    try:
        connection.request(method, parts.path, body or None, headers or {})
        answer = connection.getresponse()
        raw = answer.read()
    except ConnectionRefusedError:
        raise
    except (http.client.HTTPException, OSError) as error:
        raise NoAnswerError(str(error)) from error
    finally:
        connection.close()
    try:
        parsed = json.loads(raw)
    except ValueError:
        parsed = raw
    return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, parsed)


def post(host: HostThread, key: str = "k1", amount: str | None = "1250 CNY", **more: Any) -> Answer:
    """Post a payment; `attempt`, `terminal`, `body`, `drop` (a header to leave out) change it."""
    headers = {
        "Idempotency-Key": key,
        "Terminal-Id": more.get("terminal", "T1"),
        "Merchant-Id": "M1",
        "Transaction-Kind": "sale",
        "Transaction-Posting": "advice",
        "Content-Type": "application/json",
        "Attempt": str(more.get("attempt", 1)),
    }
    if amount is not None:
        headers["Transaction-Amount"] = amount
    headers.pop(more.get("drop", ""), None)
    headers.update(more.get("headers", {}))
    return ask(
        host.host.url,
        "POST",
        more.get("body", b'{"n":1}'),
        headers,
        tls=more.get("tls"),
        timeout_s=more.get("timeout_s", TIMEOUT_S),
    )


def status(host: HostThread, key: str = "k1", terminal: str = "T1") -> Answer:
    return ask(f"{host.host.url}/{key}", headers={"Terminal-Id": terminal})


def control(host: HostThread, **wanted: Any) -> Answer:
    return ask(host.host.control_url, "POST", json.dumps(wanted).encode())


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.005)


@pytest.fixture
def host() -> Iterator[HostThread]:
    with HostThread() as running:
        yield running


def test_a_new_payment_is_posted_and_echoed(host: HostThread) -> None:
    """201 carries everything the agent binds an answer by."""
    answer = post(host)
    assert answer.status == 201
    assert answer.body["key"] == "k1"
    assert answer.body["terminal_id"] == "T1"
    assert answer.body["status"] == "posted"
    assert (answer.body["amount_minor"], answer.body["currency"]) == (1250, "CNY")
    assert answer.body["reference"] == "SIM-00000001"
    assert answer.body["posted_at"].endswith("Z")
    assert "duplicate" not in answer.body


def test_a_repeat_gets_the_stored_result(host: HostThread) -> None:
    """The same key and content is posted once, however often it comes."""
    first = post(host)
    again = post(host, attempt=2)
    assert again.status == 200
    assert again.body == {**first.body, "duplicate": True}
    assert sums(host.host.ledger.postings()).posted == 1


def test_keys_belong_to_a_terminal(host: HostThread) -> None:
    """Two terminals may use the same key for different payments."""
    assert post(host).status == 201
    assert post(host, terminal="T2").status == 201
    assert sums(host.host.ledger.postings()).duplicates == ()


@pytest.mark.parametrize("more", [{"body": b"other"}, {"amount": "1251 CNY"}])
def test_another_content_under_a_used_key_is_a_mismatch(
    host: HostThread, more: dict[str, Any]
) -> None:
    """422 when bytes or amount differ; nothing is posted."""
    post(host)
    answer = post(host, **more)
    assert (answer.status, answer.body["status"]) == (422, "mismatch")
    assert sums(host.host.ledger.postings()).posted == 1


@pytest.mark.parametrize(
    "more",
    [
        {"key": ""},
        {"key": "no spaces"},
        {"key": "k" * 65},
        {"drop": "Terminal-Id"},
        {"drop": "Merchant-Id"},
        {"amount": "12.50 CNY"},
        {"amount": "-1 CNY"},
        {"amount": "1250"},
        {"amount": f"{2**53 + 1} CNY"},
        {"headers": {"Transaction-Kind": "gift"}},
        {"headers": {"Transaction-Posting": "maybe"}},
        {"attempt": "0"},
        {"attempt": "two"},
    ],
)
def test_an_unreadable_post_is_refused_without_a_trace(
    host: HostThread, more: dict[str, Any]
) -> None:
    """400, and the key stays unknown."""
    answer = post(host, **more)
    assert answer.status == 400
    assert answer.body["error"]["code"]
    assert host.host.ledger.postings() == []


def test_a_payment_without_amount_is_echoed_without_one(host: HostThread) -> None:
    """Settlements carry no amount; the echo says null."""
    answer = post(host, amount=None, headers={"Transaction-Kind": "settlement"})
    assert (answer.status, answer.body["amount_minor"], answer.body["currency"]) == (
        201,
        None,
        None,
    )


def test_status_by_key(host: HostThread) -> None:
    """Found: the result of the post; never seen: 404 with the body that makes it authoritative."""
    first = post(host)
    assert status(host) == Answer(200, status(host).headers, first.body)
    unknown = status(host, "k2")
    assert unknown.status == 404
    assert unknown.body == {"key": "k2", "terminal_id": "T1", "status": "not_found"}
    assert status(host, terminal="T2").status == 404


def test_the_window_and_the_in_flight_time_are_declared(host: HostThread) -> None:
    """GET on the collection tells an installer what to put into the profile."""
    assert ask(host.host.url).body == {
        "contract": 1,
        "key_window_s": 180 * 86_400,
        "in_flight_s": 60,
    }


@pytest.mark.parametrize(("method", "path", "code"), [("PUT", "", 405), ("GET", "x", 404)])
def test_other_requests_are_refused(host: HostThread, method: str, path: str, code: int) -> None:
    """Unknown methods and paths are answered, not posted."""
    assert ask(host.host.url + path, method).status == code


def test_two_posts_at_once_make_one_posting(host: HostThread) -> None:
    """While the first is being worked on, the second hears 409, the status says in progress."""
    host.apply(Fault.named("delay", delay_s=0.5, only="post"))
    first: list[Answer] = []
    thread = threading.Thread(target=lambda: first.append(post(host)))
    thread.start()
    try:
        until(lambda: host.host.state()["in_progress"] == 1)
        second = post(host, attempt=2)
        assert (second.status, second.body["status"]) == (409, "in_progress")
        assert second.headers["retry-after"] == "1"
        assert status(host).body["status"] == "in_progress"
    finally:
        thread.join(TIMEOUT_S)
    assert first[0].status == 201
    assert sums(host.host.ledger.postings()).posted == 1


def test_the_host_finishes_its_work_when_the_terminal_hangs_up(host: HostThread) -> None:
    """A post whose sender went away is posted all the same."""
    host.apply(Fault.named("delay", delay_s=0.4, only="post"))
    with pytest.raises(NoAnswerError):
        post(host, timeout_s=0.1)
    until(lambda: status(host).body["status"] != "in_progress")
    assert status(host).body["status"] == "posted"


def test_a_lost_reply_leaves_a_posting(host: HostThread) -> None:
    """drop_after: no answer, but the repeat and the status find it."""
    host.apply(Fault.named("drop_after", times=1))
    with pytest.raises(NoAnswerError):
        post(host)
    assert status(host).body["status"] == "posted"
    assert post(host, attempt=2).status == 200
    assert sums(host.host.ledger.postings()).duplicates == ()


def test_a_lost_request_leaves_none(host: HostThread) -> None:
    """drop_before: no answer, and the host never heard of it."""
    host.apply(Fault.named("drop_before", times=1))
    with pytest.raises(NoAnswerError):
        post(host)
    assert status(host).status == 404
    assert post(host, attempt=2).status == 201


@pytest.mark.parametrize(
    ("name", "code", "posted"),
    [
        ("error_500", 500, 0),
        ("error_500_after", 500, 1),
        ("error_502", 502, 0),
        ("error_502_after", 502, 1),
        ("error_503", 503, 0),
        ("busy", 429, 0),
        ("unauthorised", 401, 0),
        ("forbidden", 403, 0),
        ("bad_request", 400, 0),
        ("mismatch", 422, 0),
        ("redirect", 302, 0),
    ],
)
def test_status_faults(host: HostThread, name: str, code: int, posted: int) -> None:
    """Each answers its status, and posts exactly when it says so."""
    host.apply(Fault.named(name))
    answer = post(host)
    assert answer.status == code
    assert len(host.host.ledger.postings()) == posted
    assert ("retry-after" in answer.headers) == (name in {"error_503", "busy"})
    assert ("location" in answer.headers) == (name == "redirect")


def test_in_progress_for_some_tries_then_posted(host: HostThread) -> None:
    """Posts and questions both count; the work is finished in the end."""
    host.apply(Fault.named("in_progress", tries=3))
    assert post(host).status == 409
    assert status(host).body["status"] == "in_progress"
    assert post(host, attempt=2).status == 409
    assert host.host.ledger.postings() == []
    assert status(host).body["status"] == "posted"
    assert sums(host.host.ledger.postings()).posted == 1


def test_a_decline_is_final_and_stored(host: HostThread) -> None:
    """402 with the code, the same for the repeat, and no money moved."""
    host.apply(Fault.named("decline", code="61", times=1))
    first = post(host)
    assert (first.status, first.body["status"], first.body["response_code"]) == (
        402,
        "declined",
        "61",
    )
    again = post(host, attempt=2)
    assert (again.status, again.body["duplicate"]) == (402, True)
    assert status(host).body["status"] == "declined"
    assert sums(host.host.ledger.postings()).by_currency == {}


@pytest.mark.parametrize("name", ["malformed", "empty"])
def test_an_unreadable_answer_is_posted(host: HostThread, name: str) -> None:
    """A good status over a bad body: posted, but not proven."""
    host.apply(Fault.named(name))
    answer = post(host)
    assert answer.status == 201
    assert isinstance(answer.body, bytes)
    assert sums(host.host.ledger.postings()).posted == 1


@pytest.mark.parametrize("name", ["truncated", "drip", "black_hole_after"])
def test_an_answer_that_never_gets_whole_is_posted(host: HostThread, name: str) -> None:
    """Half an answer, a dripping one and none at all."""
    host.apply(Fault.named(name))
    with pytest.raises(NoAnswerError):
        post(host, timeout_s=0.3)
    assert sums(host.host.ledger.postings()).posted == 1


def test_a_black_hole_posts_nothing_and_ends_with_the_fault(host: HostThread) -> None:
    """The request is swallowed until the fault is switched off, then cut, not answered."""
    host.apply(Fault.named("black_hole"))
    ends: list[Exception] = []

    def swallowed() -> None:
        try:
            post(host)
        except NoAnswerError as error:
            ends.append(error)

    thread = threading.Thread(target=swallowed)
    thread.start()
    until(lambda: bool(host.host.state()["faults_met"]))
    host.apply(Fault())
    thread.join(TIMEOUT_S)
    assert len(ends) == 1
    assert host.host.ledger.postings() == []


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [("wrong_amount", "amount_minor", 1251), ("wrong_key", "key", "k1X")],
)
def test_a_wrong_echo(host: HostThread, name: str, field: str, value: object) -> None:
    """Exactly one field of the answer is somebody else's."""
    host.apply(Fault.named(name))
    answer = post(host)
    assert answer.status == 201
    assert answer.body[field] == value


def test_refused_connections_come_back_on_the_same_port(host: HostThread) -> None:
    """Cut off: connection refused at once, the control port still works; reopened: as before."""
    post(host)
    url = host.host.url
    assert control(host, fault="refuse").status == 200
    with pytest.raises(ConnectionRefusedError):
        post(host)
    assert control(host, fault="none").status == 200
    assert host.host.url == url
    assert post(host, attempt=2).status == 200


def test_faults_over_the_control_port(host: HostThread) -> None:
    """POST sets, GET shows, nonsense is refused with a sentence and changes nothing."""
    state = control(host, fault="error_503", retry_after_s=7, times=1).body
    assert (state["fault"]["name"], state["fault"]["retry_after_s"]) == ("error_503", 7)
    assert post(host).headers["retry-after"] == "7"
    assert post(host, attempt=2).status == 201
    state = ask(host.host.control_url).body
    assert (state["fault"]["name"], state["posted"], state["requests"]) == (
        "none",
        1,
        {"post": 2, "repeat": 1},
    )
    for wrong in (
        {"fault": "gremlins"},
        {"fault": "delay", "delay_s": "long"},
        {"fault": "delay", "speed": 1},
        {"fault": "delay", "only": "sometimes"},
        {"mix": {"refuse": 0.1}},
        {"mix": {"drop_after": 0.9, "drop_before": 0.2}},
        {"mix": {"drop_after": -0.1}},
        {"mix": {"drop_after": 0.1}, "seed": "x"},
        {},
    ):
        assert control(host, **wrong).status == 400
    assert ask(host.host.control_url, "POST", b"{").status == 400
    assert ask(host.host.control_url).body["fault"]["name"] == "none"
    assert ask(host.host.control_url + "/ledger").body[0]["key"] == "k1"
    assert ask(host.host.control_url + "/nothing").status == 404


def test_the_control_port_is_not_for_web_pages(host: HostThread) -> None:
    """A page the technician has open elsewhere cannot switch the simulator."""
    answer = ask(host.host.control_url, "POST", b'{"fault":"refuse"}', {"Origin": "http://evil"})
    assert answer.status == 403
    assert post(host).status == 201


def test_a_mix_is_reproducible() -> None:
    """The same seed draws the same faults; frequencies follow the probabilities."""
    draws: list[list[str]] = []
    for _ in range(2):
        switch = FaultSwitch()
        switch.set_mix({"drop_after": 0.25, "error_503": 0.25}, seed=7)
        draws.append([switch.draw(Scope.POST).name for _ in range(400)])
    assert draws[0] == draws[1]
    assert 60 < draws[0].count("drop_after") < 140
    assert 150 < draws[0].count("none") < 250


def test_a_fault_meets_only_its_scope() -> None:
    """A fault of posts leaves status questions alone and is not used up by them."""
    switch = FaultSwitch()
    switch.set(Fault.named("drop_after", only="post", times=1))
    assert switch.draw(Scope.STATUS).name == "none"
    assert switch.draw(Scope.POST).name == "drop_after"
    assert switch.draw(Scope.POST).name == "none"


def test_under_a_mix_every_payment_ends_up_posted_once(host: HostThread) -> None:
    """A stubborn sender that repeats its key gets everything in, nothing twice."""
    faults = ("drop_after", "drop_before", "error_500_after", "error_503", "malformed")
    host.apply_mix(dict.fromkeys(faults, 0.12), seed=3)
    for number in range(40):
        for attempt in range(1, 30):
            try:
                answer = post(host, f"k{number}", attempt=attempt)
            except NoAnswerError:
                continue
            if answer.status in {200, 201} and isinstance(answer.body, dict):
                break
        else:
            pytest.fail("a payment never got through")
    total = sums(host.host.ledger.postings())
    assert (total.posted, total.duplicates) == (40, ())
    assert total.by_currency == {"CNY": 40 * 1250}


def test_a_host_that_ignores_keys_doubles() -> None:
    """Positive control: the same repeat that is harmless above is a duplicate here."""
    with HostThread(HostOptions(ignore_keys=True)) as broken:
        broken.apply(Fault.named("drop_after", times=1))
        with pytest.raises(NoAnswerError):
            post(broken)
        assert post(broken, attempt=2).status == 201
        assert sums(broken.host.ledger.postings()).duplicates == ("T1/k1",)


def test_past_its_window_a_key_is_forgotten() -> None:
    """A host with a short memory posts a late repeat again; the rig sees the duplicate."""
    with HostThread(HostOptions(key_window_s=-1.0)) as forgetful:
        assert post(forgetful).status == 201
        assert status(forgetful).status == 404
        assert post(forgetful, attempt=2).status == 201
        assert sums(forgetful.host.ledger.postings()).duplicates == ("T1/k1",)


def test_the_ledger_survives_the_host(tmp_path: Path) -> None:
    """Postings, fingerprints and results are read back at the start; the file is private."""
    path = tmp_path / "ledger.jsonl"
    options = HostOptions(ledger_file=path)
    with HostThread(options) as first:
        was = post(first).body
        assert [posting.key for posting in read_ledger(path)] == ["k1"]
    assert path.stat().st_mode & 0o777 == 0o600
    with HostThread(options) as second:
        assert post(second, attempt=2).body == {**was, "duplicate": True}
        assert post(second, body=b"other", attempt=3).status == 422
        assert post(second, "k2").body["reference"] == "SIM-00000002"
    assert len(read_ledger(path)) == 2


def test_a_torn_last_line_was_never_answered(tmp_path: Path) -> None:
    """A host killed while writing forgets that line, so that the repeat is posted."""
    path = tmp_path / "ledger.jsonl"
    options = HostOptions(ledger_file=path)
    with HostThread(options) as first:
        post(first)
        post(first, "k2")
    os.truncate(path, path.stat().st_size - 10)
    assert [posting.key for posting in read_ledger(path)] == ["k1"]
    with HostThread(options) as second:
        assert post(second, "k2", attempt=2).status == 201
    assert [posting.key for posting in read_ledger(path)] == ["k1", "k2"]


def test_a_damaged_ledger_is_not_started_on(tmp_path: Path) -> None:
    """A bad line in the middle stops the host with a sentence naming the line."""
    path = tmp_path / "ledger.jsonl"
    path.write_text('{"seq": 1}\n', "utf-8")
    with pytest.raises(OperatorError, match="line 1"):
        read_ledger(path)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    if not available():
        pytest.skip("trustme is not installed")
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def test_keys_are_private(certificates: Certificates) -> None:
    """Private keys are readable by their owner only."""
    for path in (certificates.host_key_file, certificates.terminal_key_file):
        assert path.stat().st_mode & 0o777 == 0o600


def test_https_with_client_certificates(certificates: Certificates) -> None:
    """The host proves itself to a terminal that trusts the CA, and takes no stranger."""
    options = HostOptions(
        cert_file=certificates.host_cert_file,
        key_file=certificates.host_key_file,
        client_ca_file=certificates.ca_file,
    )
    known = ssl.create_default_context(cafile=str(certificates.ca_file))
    known.load_cert_chain(certificates.terminal_cert_file, certificates.terminal_key_file)
    stranger = ssl.create_default_context(cafile=str(certificates.ca_file))
    with HostThread(options) as host:
        assert host.host.url.startswith("https://127.0.0.1:")
        assert post(host, tls=known).status == 201
        with pytest.raises(NoAnswerError):
            post(host, "k2", tls=stranger)
    assert sums(host.host.ledger.postings()).posted == 1


def test_the_port_is_kept_while_refusing(host: HostThread) -> None:
    """Nobody else is given the port of a host that is cut off."""
    port = host.host.port
    host.apply(Fault.named("refuse"))
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", port))


def test_every_fault_has_its_own_name() -> None:
    """The table is keyed by the name a fault shows."""
    assert all(name == fault.name for name, fault in NAMED.items())


def test_served_until_stopped() -> None:
    """`posagent sim host`: two addresses are said, both answer, the stop is obeyed."""

    async def main() -> None:
        said: list[str] = []
        stop, spoken = asyncio.Event(), asyncio.Event()

        def say(line: str) -> None:
            said.append(line)
            if len(said) == 2:
                spoken.set()

        serving = asyncio.create_task(serve(HostOptions(), stop, say))
        async with asyncio.timeout(TIMEOUT_S):
            await spoken.wait()
            assert said[0].startswith("host http://127.0.0.1:")
            assert said[1].startswith("control http://127.0.0.1:")
            stop.set()
            await serving

    asyncio.run(main())


def test_a_host_that_cannot_start_leaves_nothing_open(host: HostThread) -> None:
    """A taken port is a sentence, not a leak (warnings are errors here)."""
    with (
        pytest.raises(OperatorError, match="cannot listen"),
        HostThread(HostOptions(port=host.host.port)),
    ):
        pytest.fail("two hosts on one port")
