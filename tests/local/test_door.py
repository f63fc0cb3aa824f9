"""Who gets in at the page's door, and who does not: browsers, programs, strangers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent.config.page import Page
from agent.local.sessions import CODE_TRIES, FREE_TRIES
from tests.local.doors import SERVICE, TOKEN, Doors, parsed, with_doors


def test_nothing_is_told_without_signing_in(tmp_path: Path) -> None:
    """Any app of the terminal can reach loopback: without a session there is no answer at all."""

    async def test(doors: Doors) -> None:
        for path in ("/v1/status", "/v1/backlog", "/v1/health", "/v1/explain", "/v1/events",
                     "/v1/transactions/sale-1", "/v1/audit", "/v1/openapi.json"):  # fmt: skip
            answer = await doors.ask("GET", path)
            assert (answer.status, answer.code) == (401, "session.none"), path
            assert answer.json["hint"]
        told = (await doors.ask("GET", "/v1/session")).json
        assert (told["signed_in"], told["roles"]) == (False, [])

    with_doors(tmp_path, test)


def test_a_code_signs_in_once(tmp_path: Path) -> None:
    """The code opens one session; shown again it opens none."""

    async def test(doors: Doors) -> None:
        code = doors.page.code("uid:0").code
        assert len(code) == 8
        assert code.isdecimal()
        answer = await doors.sign_in(f"{code[:4]} {code[4:]}")
        assert answer.json["roles"] == ["read", "technician"]
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert "Path=/" in cookie
        assert len(doors.cookie.partition("=")[2]) == 64
        assert (await doors.ask("GET", "/v1/status")).json["device_id"] == "d-1"
        again = await doors.ask("POST", "/v1/session", {"code": code}, cookie=None)
        assert (again.status, again.code) == (401, "session.no_code")
        await asyncio.sleep(0)
        assert [(deed.op, deed.outcome) for deed in doors.trail.deeds] == [
            ("sign_in", "ok"), ("sign_in", "session.code"),
        ]  # fmt: skip
        assert doors.trail.deeds[0].actor == "page:127.0.0.1#1"

    with_doors(tmp_path, test)


def test_a_code_runs_out(tmp_path: Path) -> None:
    """After its minutes it counts no more."""

    async def test(doors: Doors) -> None:
        told = doors.page.code("uid:0")
        doors.clock.boot_ms += told.expires_in_s * 1000
        assert (await doors.sign_in(told.code)).code == "session.no_code"

    with_doors(tmp_path, test)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.evil:{port}",
        "127.0.0.1:{port}.evil", "localhost.:{port}", "0:{port}", "[::1]:{port}",
        "2130706433:{port}",
        "127.1:{port}", "user@127.0.0.1:{port}", "", "127.0.0.1:{port}, evil",
    ],
)  # fmt: skip
def test_another_name_for_this_address_is_turned_away(tmp_path: Path, host: str) -> None:
    """DNS rebinding: a name that leads here from elsewhere gets nothing, not even the page."""

    async def test(doors: Doors) -> None:
        await doors.sign_in_here()
        _, port = doors.address()
        for target in ("/", "/v1/session", "/v1/status"):
            answer = await doors.ask("GET", target, host=host.format(port=port))
            assert (answer.status, answer.code) == (403, "page.host")

    with_doors(tmp_path, test)


def test_no_host_at_all_is_turned_away(tmp_path: Path) -> None:
    """HTTP/1.0 needs no Host; this page does. Two of them are malformed."""

    async def test(doors: Doors) -> None:
        assert parsed(await doors.raw(b"GET / HTTP/1.0\r\n\r\n")).code == "page.host"
        own = "{}:{}".format(*doors.address()).encode()
        sent = b"GET / HTTP/1.1\r\nhost: %s\r\nhost: %s\r\n\r\n" % (own, own)
        assert parsed(await doors.raw(sent)).status == 400
        sent = b"GET http://%s/ HTTP/1.1\r\nhost: %s\r\n\r\n" % (own, own)
        assert parsed(await doors.raw(sent)).status == 400

    with_doors(tmp_path, test)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1"},
        {"origin": "https://{own}"},
        {"origin": "http://localhost:{port}"},
        {"origin": "http://{own}, http://evil.example"},
        {"origin": "http://{own}.evil.example"},
        {"origin": ""},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "none"},
        {"origin": None, "sec_fetch_site": None},
    ],
    ids=str,
)
def test_a_foreign_page_changes_nothing(tmp_path: Path, headers: dict[str, str | None]) -> None:
    """CSRF: even with the cookie, a request that is not provably the page's own is refused."""

    async def test(doors: Doors) -> None:
        await doors.sign_in_here()
        host, port = doors.address()
        sent = {
            name: None if value is None else value.format(own=f"{host}:{port}", port=port)
            for name, value in headers.items()
        }
        for method, target in (
            ("POST", "/v1/queue/hold"), ("POST", "/v1/page/close"), ("PUT", "/v1/status"),
        ):  # fmt: skip
            answer = await doors.ask(method, target, {}, **sent)
            assert (answer.status, answer.code) == (403, "page.origin")
        assert (await doors.ask("GET", "/v1/status")).status == 200

    with_doors(tmp_path, test)


def test_a_foreign_page_reads_nothing_and_signs_nobody_in(tmp_path: Path) -> None:
    """Looking from another page is refused as well, and so is a form that signs in."""

    async def test(doors: Doors) -> None:
        code = doors.page.code("uid:0").code
        answer = await doors.ask(
            "POST", "/v1/session", {"code": code}, origin="https://evil.example"
        )
        assert answer.code == "page.origin"
        answer = await doors.ask("POST", "/v1/session", {"code": code}, content_type="text/plain")
        assert answer.status == 415
        await doors.sign_in(code)
        answer = await doors.ask("GET", "/v1/status", sec_fetch_site="cross-site")
        assert answer.code == "page.origin"
        assert "access-control-allow-origin" not in answer.headers
        answer = await doors.ask("OPTIONS", "/v1/queue/hold", origin="https://evil.example")
        assert answer.code == "page.origin"

    with_doors(tmp_path, test)


def test_a_session_that_ended_is_over(tmp_path: Path) -> None:
    """After signing out the same cookie is stale, and says so."""

    async def test(doors: Doors) -> None:
        await doors.sign_in_here()
        kept = doors.cookie
        out = await doors.ask("DELETE", "/v1/session")
        assert "Max-Age=0" in out.headers["set-cookie"]
        answer = await doors.ask("GET", "/v1/status", cookie=kept)
        assert (answer.status, answer.code) == (401, "session.stale")
        chinese = await doors.ask("GET", "/v1/status", cookie=kept, accept_language="zh-CN,en")
        assert chinese.json["title"] == "登录已失效"

    with_doors(tmp_path, test)


def test_sessions_end_by_themselves(tmp_path: Path) -> None:
    """Idle for too long, or used for too long: both end it."""
    page = Page(listen="127.0.0.1:0", idle_s=100, absolute_s=250)

    async def test(doors: Doors) -> None:
        await doors.sign_in_here()
        for _ in range(2):
            doors.clock.boot_ms += 90_000
            assert (await doors.ask("GET", "/v1/status")).status == 200
        told = (await doors.ask("GET", "/v1/session")).json
        assert (told["expires_in_s"], told["idle_in_s"]) == (70, 70)
        doors.clock.boot_ms += 70_000
        assert (await doors.ask("GET", "/v1/status")).code == "session.stale"
        await doors.sign_in_here()
        doors.clock.boot_ms += 100_000
        assert (await doors.ask("GET", "/v1/status")).code == "session.stale"

    with_doors(tmp_path, test, page)


def test_a_cookie_put_there_before_signing_in_is_worth_nothing(tmp_path: Path) -> None:
    """Fixation: signing in always makes a new secret, ends the old one, and doubles are refused."""

    async def test(doors: Doors) -> None:
        await doors.sign_in_here()
        name, _, first = doors.cookie.partition("=")
        doors.cookie = f"{name}=" + "f" * 64
        await doors.sign_in_here()
        second = doors.cookie.partition("=")[2]
        assert second not in (first, "f" * 64)
        await doors.sign_in_here()
        assert (await doors.ask("GET", "/v1/status", cookie=f"{name}={second}")).status == 401
        twice = f"{doors.cookie}; {name}=" + "f" * 64
        assert (await doors.ask("GET", "/v1/status", cookie=twice)).code == "session.none"

    with_doors(tmp_path, test)


def test_guessing_takes_longer_each_time(tmp_path: Path) -> None:
    """Wrong codes: growing waits with Retry-After, the code is void after a few, all written down;
    whoever has the token still gets in."""

    async def test(doors: Doors) -> None:
        code = doors.page.code("uid:0").code
        wrong = f"{(int(code) + 1) % 10**8:08d}"
        for _ in range(FREE_TRIES):
            assert (await doors.sign_in(wrong)).code == "session.code"
        locked = await doors.sign_in(code)
        assert (locked.status, locked.code) == (429, "session.locked")
        assert locked.headers["retry-after"] == "1"
        doors.clock.boot_ms += 1_000
        assert (await doors.sign_in(wrong)).code == "session.code"
        doors.clock.boot_ms += 2_000
        for _ in range(CODE_TRIES - FREE_TRIES - 1):
            assert (await doors.sign_in(wrong)).code == "session.code"
            doors.clock.boot_ms += 60_000
        assert (await doors.sign_in(code)).code == "session.no_code"
        assert (await doors.sign_in(doors.page.code("uid:0").code)).code == "session.locked"
        assert (await doors.sign_in(TOKEN)).status == 200
        await asyncio.sleep(0)
        failed = [deed for deed in doors.trail.deeds if deed.outcome == "session.code"]
        assert sum(deed.count for deed in failed) == 7
        assert all(code not in str(deed) and wrong not in str(deed) for deed in doors.trail.deeds)

    with_doors(tmp_path, test)


def test_a_program_shows_the_token(tmp_path: Path) -> None:
    """The bearer token needs neither cookie nor Origin; a wrong one is refused and counted."""

    async def test(doors: Doors) -> None:
        plain = {"origin": None, "sec_fetch_site": None}
        good = await doors.ask("GET", "/v1/status", authorization=f"Bearer {TOKEN}", **plain)
        assert good.status == 200
        bad_ones = ("Bearer " + "u" * 64, "Basic " + TOKEN, "Bearer", "Bearer " + TOKEN[:-1])
        for bad in bad_ones:
            answer = await doors.ask("GET", "/v1/status", authorization=bad, **plain)
            assert (answer.status, answer.code) == (401, "session.code")
        # Payments are not the page's business unless [page] token_roles says so.
        answer = await doors.ask(
            "POST", "/v1/transactions", {}, authorization=f"Bearer {TOKEN}", **plain
        )
        assert (answer.status, answer.code) == (403, "role.missing")
        await asyncio.sleep(0)
        assert len([deed for deed in doors.trail.deeds if deed.target == "token"]) == 1

    with_doors(tmp_path, test)


def test_what_is_readable_without_signing_in_is_a_choice(tmp_path: Path) -> None:
    """open_read lets everybody here look, and nobody change anything."""

    async def test(doors: Doors) -> None:
        assert (await doors.ask("GET", "/v1/status")).status == 200
        answer = await doors.ask("POST", "/v1/queue/hold", {"key": "sale-1"})
        assert (answer.status, answer.code) == (403, "role.missing")

    with_doors(tmp_path, test, Page(listen="127.0.0.1:0", open_read=True))


def test_too_many_sessions_end_the_one_nobody_uses(tmp_path: Path) -> None:
    """The newest technician gets in; the session unused for longest is over."""

    async def test(doors: Doors) -> None:
        cookies = []
        for _ in range(3):
            doors.cookie = ""
            await doors.sign_in_here()
            cookies.append(doors.cookie)
            doors.clock.boot_ms += 1_000
        told = [(await doors.ask("GET", "/v1/status", cookie=one)).status for one in cookies]
        assert told == [401, 200, 200]

    with_doors(tmp_path, test, Page(listen="127.0.0.1:0", sessions_max=2))


def test_an_event_stream_ends_with_its_session(tmp_path: Path) -> None:
    """A stream opened before signing out tells nothing afterwards; too many are refused."""

    async def test(doors: Doors) -> None:
        await doors.sign_in_here()
        host, port = doors.address()
        head = f"GET /v1/events HTTP/1.1\r\nhost: {host}:{port}\r\ncookie: {doors.cookie}\r\n\r\n"
        streams = [await asyncio.open_connection(host, port) for _ in range(4)]
        for reader, writer in streams:
            writer.write(head.encode())
            await reader.readuntil(b": connected")
        assert (await doors.ask("GET", "/v1/events")).code == "events.too_many"
        await doors.ask("DELETE", "/v1/session")
        doors.house.health.sinks[0]([])
        doors.house.api._hub.backlog(await _backlog(doors))
        for reader, writer in streams:
            assert b"signed_in" in await reader.readuntil(b"false}")
            writer.close()

    with_doors(tmp_path, test)


async def _backlog(doors: Doors) -> object:
    from agent.wire.api import Nothing

    return await doors.house.api._do("backlog", Nothing(), "agent")


def test_a_session_of_one_listener_opens_no_other(tmp_path: Path) -> None:
    """A cookie of the terminal's own page is worth nothing at the service listener, and the token
    is not taken there."""

    async def test(doors: Doors) -> None:
        await doors.sign_in_here()
        told = await doors.page.open(5, "uid:0")
        secret = doors.cookie.partition("=")[2]
        _, port = doors.address("service")
        answer = await doors.ask(
            "GET", "/v1/status", listener="service", cookie=f"posagent-{port}={secret}"
        )
        assert answer.code == "session.stale"
        answer = await doors.ask(
            "GET", "/v1/status", listener="service", authorization=f"Bearer {TOKEN}"
        )
        assert answer.code == "session.code"
        doors.cookie = ""
        assert (await doors.sign_in(told.code)).code == "session.no_code"
        assert (await doors.sign_in(told.code, "service")).json["closes_in_s"] == 300

    with_doors(tmp_path, test, SERVICE)
