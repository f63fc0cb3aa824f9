"""A page whose agent is gone says so, and comes back with it."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("selenium", reason="no browser: selenium is not installed")

from tests.page.browser import browse, missing
from tests.process.daemon import Daemon

pytestmark = [
    pytest.mark.process,
    pytest.mark.browser,
    pytest.mark.skipif(bool(missing()), reason=missing() or "a browser is there"),
]


def test_nothing_stale_looks_fresh() -> None:
    """Killed: when it was last heard, on every view. Back: signed out, and no banner."""
    with Daemon() as daemon:
        daemon.configure('[page]\nlisten = "127.0.0.1:0"\n')
        daemon.start()
        address = daemon.get("/v1/page").json["listeners"][0]["address"]
        with browse(address) as page:
            page.open()
            page.sign_in(daemon.post("/v1/page/code", {}).json["code"])
            assert page.all("#banner p") == []
            daemon.kill()
            banner = page.text_of("#banner p")
            assert re.search(r"does not answer.*Last heard \d+ s ago", banner)
            assert "silent" in page.ask("return document.body.className")
            page.ask("location.hash = '#/payments'")
            page.until(lambda: "Payments" in page.driver.title, "the other view")
            assert page.each("#banner p", "one.checkVisibility()") == [True, True]
            page.until(lambda: page.all("main .problem"), "what is wrong")
            assert "See that the terminal is on" in page.text("main .problem")
            # The same address again, as an agent that is restarted has it.
            host = address.rstrip("/").removeprefix("http://")
            daemon.configure(f'[page]\nlisten = "{host}"\n')
            daemon.start()
            page.until(lambda: not page.all("#banner p"), "no banner any more")
            page.until(
                lambda: page.all("dialog #code") or "Sign in first" in page.text(),
                "its sessions ended with it",
            )
