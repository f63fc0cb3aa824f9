"""How the server starts, stops, and costs nothing in between."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.errors import OperatorError
from agent.http.message import Request, Response
from agent.http.server import Server
from tests.http.wires import Raw, get, hello, one, serving, until


def test_the_socket_file_has_the_exact_mode_and_goes_at_close(tmp_path: Path) -> None:
    """0660 whatever the umask, and no file left behind."""
    before = os.umask(0)
    try:

        async def scene() -> None:
            async with serving(tmp_path) as (_, path):
                assert stat.S_IMODE(Path(path).stat().st_mode) == 0o660
            assert not Path(path).exists()

        for mask in (0o000, 0o077):
            os.umask(mask)
            asyncio.run(scene())
    finally:
        os.umask(before)


def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    """A file left by a killed process is no obstacle."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "api.sock"))

    async def scene() -> None:
        async with serving(tmp_path) as (_, path):
            assert (await one(path, get()))[0] == 200

    asyncio.run(scene())


def test_a_socket_somebody_answers_on_is_left_alone(tmp_path: Path) -> None:
    """A second server refuses, and the first goes on serving."""

    async def scene() -> None:
        async with serving(tmp_path) as (_, path):
            with pytest.raises(OperatorError) as caught:
                await Server(hello).start_unix(path)
            assert caught.value.code == "http.socket_in_use"
            assert (await one(path, get()))[0] == 200

    asyncio.run(scene())


def test_a_file_that_is_no_socket_is_never_removed(tmp_path: Path) -> None:
    """Something else at the path is an operator's mistake, not ours to delete."""
    (tmp_path / "api.sock").write_text("precious")

    async def scene() -> None:
        for path in (tmp_path / "api.sock", tmp_path / "absent" / "x", tmp_path / ("n" * 120)):
            with pytest.raises(OperatorError) as caught:
                await Server(hello).start_unix(path)
            assert caught.value.code == "http.socket_unusable"

    asyncio.run(scene())
    assert (tmp_path / "api.sock").read_text() == "precious"


def test_closing_leaves_a_successors_socket_alone(tmp_path: Path) -> None:
    """A file that is no longer ours is not removed at close."""

    async def scene() -> None:
        async with serving(tmp_path) as (_, path):
            Path(path).unlink()
            Path(path).write_text("another inode")
        assert Path(path).exists()

    asyncio.run(scene())


def test_close_lets_running_handlers_finish(tmp_path: Path) -> None:
    """A request under way is answered, with `connection: close`; idle connections go at once."""
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def handler(request: Request) -> Response:
        if request.path == "/slow":
            reached.set()
            await go_on.wait()
        return await hello(request)

    async def scene() -> None:
        async with serving(tmp_path, handler) as (server, path):
            idle = await Raw.unix(path)
            idle.say(get())
            await idle.answer()
            busy = await Raw.unix(path)
            busy.say(get("/slow") + get("/never"))
            await reached.wait()
            closing = asyncio.create_task(server.close(5))
            assert await idle.rest() == b""
            with pytest.raises((ConnectionRefusedError, FileNotFoundError)):
                await Raw.unix(path)
            go_on.set()
            status, headers, body = await busy.answer()
            assert (status, headers["connection"], body) == (200, "close", b"GET /slow 0")
            assert await busy.rest() == b""
            await closing
            assert server.connections == 0
            for raw in (idle, busy):
                await raw.close()

    asyncio.run(scene())


def test_close_cuts_what_outlasts_the_grace(tmp_path: Path) -> None:
    """A handler that does not finish is cancelled when the grace is over."""
    reached = asyncio.Event()
    cancelled = False

    async def handler(_request: Request) -> Response:
        nonlocal cancelled
        reached.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled = True
            raise
        raise AssertionError

    async def scene() -> None:
        async with serving(tmp_path, handler) as (server, path):
            raw = await Raw.unix(path)
            raw.say(get())
            await reached.wait()
            await server.close(0.05)
            assert await raw.rest() == b""
            await raw.close()

    asyncio.run(scene())
    assert cancelled


def test_close_ends_event_streams_well_formed(tmp_path: Path) -> None:
    """Closing does not wait for listeners of events, and they see a proper end."""
    reached = asyncio.Event()

    async def handler(_request: Request) -> Response:
        async def events() -> AsyncIterator[bytes]:
            yield b": hello\n\n"
            reached.set()
            await asyncio.Event().wait()

        return Response(status=200, headers={"content-type": "text/event-stream"}, body=events())

    async def scene() -> None:
        async with serving(tmp_path, handler) as (server, path):
            raw = await Raw.unix(path)
            raw.say(get())
            await reached.wait()
            began = asyncio.get_running_loop().time()
            await server.close(30)
            assert asyncio.get_running_loop().time() - began < 5
            assert (await raw.rest()).endswith(b": hello\n\n\r\n0\r\n\r\n")
            await raw.close()

    asyncio.run(scene())


def test_tcp_gives_a_port_and_no_peer(tmp_path: Path) -> None:
    """On TCP nothing is known of the caller; a taken port is the operator's to solve."""
    del tmp_path
    peers: list[object] = []

    async def handler(request: Request) -> Response:
        peers.append(request.peer)
        return await hello(request)

    async def scene() -> None:
        server = Server(handler)
        port = await server.start_tcp("127.0.0.1", 0)
        raw = Raw(*await asyncio.open_connection("127.0.0.1", port))
        raw.say(get())
        assert (await raw.answer())[0] == 200
        with pytest.raises(OperatorError):
            await Server(handler).start_tcp("127.0.0.1", port)
        await raw.close()
        await server.close(0.5)

    asyncio.run(scene())
    assert peers == [None]


def test_nothing_is_left_scheduled_when_idle(tmp_path: Path) -> None:
    """With no connection open the server has no timer and no task: it costs nothing."""

    async def scene() -> None:
        async with serving(tmp_path) as (server, path):
            assert (await one(path, get()))[0] == 200
            await until(lambda: server.connections == 0)
            gc.collect()
            loop = asyncio.get_running_loop()
            live = [h for h in loop._scheduled if not h.cancelled()]  # type: ignore[attr-defined]
            assert live == []
            assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(scene())


def test_a_socket_that_was_handed_over_is_served_and_left_to_its_maker(tmp_path: Path) -> None:
    """Its file and mode stay as they were made; the link to it comes and goes with the server."""
    made, link = tmp_path / "made", tmp_path / "api.sock"
    link.symlink_to(tmp_path / "of an earlier life")

    async def scene(path: Path) -> None:
        async with asyncio.timeout(10):
            server = Server(hello)
            with socket.socket(socket.AF_UNIX) as sock:
                sock.bind(str(made))
                made.chmod(0o604)
                await server.start_handed(sock.dup(), path)
                assert (await one(str(path), get()))[0] == 200
                await server.close()
            assert stat.S_IMODE(made.stat().st_mode) == 0o604
            made.unlink()

    asyncio.run(scene(link))
    assert not link.is_symlink()
    asyncio.run(scene(made))


def test_a_link_never_takes_the_place_of_something_else(tmp_path: Path) -> None:
    """A file at `run_dir/api.sock` is an operator's mistake, also where init makes the socket."""
    (tmp_path / "api.sock").write_text("precious")

    async def scene() -> None:
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(str(tmp_path / "made"))
        with pytest.raises(OperatorError) as caught:
            await Server(hello).start_handed(sock, tmp_path / "api.sock")
        assert caught.value.code == "http.socket_unusable"

    asyncio.run(scene())
    assert (tmp_path / "api.sock").read_text() == "precious"
