"""A bank's list fetched by the real daemon: over TLS, by a program, by the clock."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.process.daemon import Daemon, wait_until
from tests.process.shell import typed

pytestmark = pytest.mark.process

HEAD = "终端号,交易日期,交易时间,清算日期,商户订单号,交易类型,交易金额,状态"
ROW = "T0000001,20261119,09:15:00,20261120,strange,消费,1.00,成功"
SECRET = "Bearer not-to-be-seen-7731"


class Bank(http.server.BaseHTTPRequestHandler):
    """Gives one list to who knows the secret; the same again is a 304."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, int]]

    def do_GET(self) -> None:
        status, body = 200, f"{HEAD}\n{ROW}\n".encode()
        if self.headers["authorization"] != SECRET:
            status, body = 401, b""
        elif self.headers["if-none-match"] == '"v1"':
            status, body = 304, b""
        self.seen.append((self.path, status))
        self.send_response(status)
        self.send_header("etag", '"v1"')
        if status != 304:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def bank(folder: Path) -> Iterator[tuple[str, list[tuple[str, int]]]]:
    """Its address, and what it answered."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    handler = type("Handler", (Bank,), {"seen": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"https://localhost:{server.server_address[1]}", handler.seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def ran(daemon: Daemon, *arguments: str, code: int = 0) -> Any:
    done = typed(daemon, *arguments, "--json")
    assert done.returncode == code, (done.returncode, done.stderr)
    return json.loads(done.stdout) if done.stdout else done.stderr


def test_a_list_is_fetched_at_its_hour_and_when_asked(tmp_path: Path) -> None:
    """By the clock after the start, by hand, a 304, another day; a wrong secret is one sentence;
    the secret is in no log; a program's list goes the same way."""
    secret, home = tmp_path / "secret", tmp_path / "hooks.d"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    home.mkdir(mode=0o755)
    hook = home / "list.portal"
    hook.write_text(f"#!/bin/sh\nprintf '{HEAD}\\n{ROW}\\n{ROW.replace('strange', 'other')}\\n'\n")
    hook.chmod(0o755)
    with bank(tmp_path) as (url, seen), Daemon() as daemon:
        own = f'ca_file = "{tmp_path}/ca.pem"\nauthorization_file = "{secret}"'
        bare = f'pull = "{url}/bare/{{yyyymmdd}}.csv"\nca_file = "{tmp_path}/ca.pem"'
        later = f"pull_at = '{(datetime.now(UTC).hour + 7) % 24:02}:00'\npull_jitter_s = 7200"
        daemon.configure(
            f'[hooks]\ndirectory = "{home}"\n'
            f'[[reconcile]]\nname = "city"\npull = "{url}/{{date}}.csv"\npull_jitter_s = 0\n{own}\n'
            f'[[reconcile]]\nname = "bare"\n{bare}\n{later}\n'
            f'[[reconcile]]\nname = "portal"\npull = "hook:portal"\n{later}\n'
            '[[reconcile]]\nname = "brought"\n'
        )
        daemon.start()

        def listed() -> list[dict[str, Any]]:
            return list(daemon.get("/v1/reconciliations").json["reconciliations"])

        wait_until(lambda: [one["state"] for one in listed()] == ["done"], "it is fetched")
        (first,) = listed()
        assert (first["profile"], first["actor"]) == ("city", "schedule")
        assert first["counts"] == {"missing_here": 1}
        again = ran(daemon, "reconcile", "pull", "city")
        assert again["reconciliation"]["number"] == first["number"]
        assert [status for _, status in seen] == [200, 304]
        assert seen[0][0] == seen[1][0]
        another = ran(daemon, "reconcile", "pull", "city", "--settled-on", "2026-11-02")
        assert another["reconciliation"]["number"] == 2
        assert seen[-1] == ("/2026-11-02.csv", 200)
        refused = typed(daemon, "reconcile", "pull", "bare")
        assert refused.returncode not in {0, 1}
        assert "401" in refused.stderr
        assert typed(daemon, "reconcile", "pull", "brought").returncode not in {0, 1}
        by_program = ran(daemon, "reconcile", "pull", "portal")
        assert by_program["reconciliation"]["lines"] == 2
        assert by_program["reconciliation"]["actor"] != "schedule"
        answered = daemon.post("/v1/reconciliations/pull", {"profile": "none"})
        assert (answered.status, answered.code) == (409, "reconcile.profile")
        assert SECRET.split()[1] not in daemon.log()
        assert "event=list_pulled profile=city number=1" in daemon.log()


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ('pull = "http://bank.example/list"', "https://"),
        ('pull = "ftp://bank.example/list"', "hook:NAME"),
        ('pull = "https://u:p@bank.example/"', "authorization_file"),
        ('pull = "https://bank.example/{day}"', "{yyyymmdd}"),
        ('pull = "hook:../../bin/sh"', "list.NAME"),
        ('pull = "hook:a"\nca_file = "/etc/ca.pem"', "ca_file"),
        ('pull = "https://b.example/"\nauthorization_file = "secret"', "absolute"),
        ('pull = "https://b.example/"\nkey_file = "/etc/key.pem"', "cert_file"),
        ('pull_at = "25:00"', "pull_at"),
    ],
)
def test_what_cannot_be_fetched_is_named(keys: str, named: str) -> None:
    """The key and the rule, before anything starts."""
    with Daemon() as daemon:
        daemon.configure(f'[[reconcile]]\nname = "bank"\n{keys}')
        done = typed(daemon, "config", "check")
        assert done.returncode != 0
        assert "reconcile" in done.stdout + done.stderr
        assert named in done.stdout + done.stderr
