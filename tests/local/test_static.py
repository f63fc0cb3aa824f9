"""The page's files, and nothing else of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.http.message import Request
from agent.local import static
from tests.local.doors import Doors, with_doors


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "page"
    (root / "js").mkdir(parents=True)
    (root / "index.html").write_text("<!doctype html>")
    (root / "js" / "main.js").write_text("let a;")
    (root / ".hidden.js").write_text("no")
    (root / "code.py").write_text("no")
    (root / "big.js").write_bytes(b" " * (static.MAX_BYTES + 1))
    (tmp_path / "secret.txt").write_text("secret")
    (root / "link.txt").symlink_to(tmp_path / "secret.txt")
    (root / "out").symlink_to(tmp_path)
    return root


def test_files_are_served_with_their_kind(folder: Path) -> None:
    """/ is the page; scripts are scripts; a browser may keep them but has to ask."""
    page = static.found(Request(method="GET", path="/"), folder)
    assert page is not None
    assert page.body == b"<!doctype html>"
    script = static.found(Request(method="GET", path="/js/main.js"), folder)
    assert script is not None
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert script.headers["cache-control"] == "no-cache"
    tag = script.headers["etag"]
    kept = Request(method="GET", path="/js/main.js", headers={"if-none-match": f'"x", {tag}'})
    again = static.found(kept, folder)
    assert again is not None
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt", "/js/../../secret.txt", "//etc/passwd", "/js//main.js", "/.hidden.js",
        "/js/.", "/js", "/js/", "/code.py", "/link.txt", "/out/secret.txt", "/big.js",
        "/nothing.js",
        "/index.html/", "/index.html\x00.js", "/..%2fsecret.txt", "/JS/main.js", "/main.js.",
        "/a/b/c/d/e.js", "/js\\main.js", "/index.HTML", "",
    ],
)  # fmt: skip
def test_nothing_else_is(folder: Path, path: str) -> None:
    """No way up, no links, no hidden files, no other kinds."""
    assert static.found(Request(method="GET", path=path), folder) is None


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60).map(lambda text: "/" + text))
def test_no_path_leads_out(path: str) -> None:
    """Whatever is asked for, nothing raises and nothing but the page's own files is told."""
    response = static.found(Request(method="GET", path=path))
    own = {file.read_bytes() for file in static.PAGE.rglob("*") if file.is_file()}
    assert response is None or response.body in own


def test_every_answer_is_guarded(tmp_path: Path) -> None:
    """Policy, no sniffing, no framing, no referrer: on the page, on answers and on refusals."""

    async def test(doors: Doors) -> None:
        for target in ("/", "/v1/status", "/v1/session", "/nothing"):
            headers = (await doors.ask("GET", target)).headers
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            if target.startswith("/v1/"):
                assert headers["cache-control"] == "no-store"

    with_doors(tmp_path, test)


def test_escaped_ways_up_are_no_ways(tmp_path: Path) -> None:
    """The same over the wire, where a path may be escaped; HEAD tells no more than GET."""

    async def test(doors: Doors) -> None:
        for target in ("/%2e%2e/door.py", "/..%2fdoor.py", "/js/%2e%2e/%2e%2e/door.py", "/%00"):
            assert (await doors.ask("GET", target)).status in (400, 404), target
        head = await doors.ask("HEAD", "/v1/status")
        assert (head.status, head.body) == (401, b"")
        assert (await doors.ask("POST", "/index.html", {})).status == 405
        assert (await doors.ask("HEAD", "/alive.txt")).body == b""

    with_doors(tmp_path, test)
