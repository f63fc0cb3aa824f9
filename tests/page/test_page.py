"""The technician's page in a real browser, on the real daemon; host and printer are simulated."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("selenium", reason="no browser: selenium is not installed")

from selenium.webdriver.common.keys import Keys

from tests.page.browser import NARROW, WIDE, Browser, browse, missing
from tests.page.shop import (
    AMOUNTS,
    DECLINED,
    DOUBTFUL,
    HELD,
    POSTED,
    Shop,
    bank_list,
    key,
    open_shop,
)  # fmt: skip

pytestmark = [
    pytest.mark.process,
    pytest.mark.browser,
    pytest.mark.skipif(bool(missing()), reason=missing() or "a browser is there"),
]

VIEWS = (
    "overview", "payments", f"payments/{DOUBTFUL}", "why", "why/late", "why/slip", "reconcile",
    "history", "checks", "slips", "terminal",
)  # fmt: skip


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    """One daemon for all of them."""
    with open_shop() as one:
        yield one


@pytest.fixture(scope="module")
def window(shop: Shop) -> Iterator[Browser]:
    """One browser for all of them."""
    with browse(shop.address) as one:
        yield one


@pytest.fixture
def page(shop: Shop, window: Browser) -> Iterator[Browser]:
    """Signed in, in English, on a laptop; it asked nobody else and complained about nothing."""
    window.size(*WIDE)
    window.open()
    if not window.ask("return fetch('/v1/session').then((a) => a.json())")["signed_in"]:
        window.sign_in(shop.code())
    if window.ask("return document.documentElement.lang") != "en":
        window.speak("en")
    window.complaints()
    yield window
    assert window.complaints() == []
    assert window.strangers() == []


def axe(page: Browser) -> list[str]:
    """What the accessibility engine calls serious or critical here."""
    if not page.ask("return typeof axe === 'object'"):
        import axe_core_python

        source = Path(str(axe_core_python.__file__)).parent / "axe.min.js"
        page.ask(source.read_text("utf-8"))
    found: dict[str, Any] = page.driver.execute_async_script(
        "const done = arguments[arguments.length - 1];"
        "axe.run(document, {resultTypes: ['violations']}).then(done, (e) => done({error: '' + e}))"
    )
    assert "error" not in found, found["error"]
    return [
        f"{one['id']}: {node['html'][:160]}"
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["narrow", "wide"])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_view_fits_and_is_usable_by_everybody(
    page: Browser, lang: str, size: tuple[int, int]
) -> None:
    """No sideways scrolling, no serious finding of axe, and its language is its language."""
    page.speak(lang)
    page.size(*size)
    for view in VIEWS:
        page.open(view)
        assert page.ask("return document.documentElement.scrollWidth") <= size[0], view
        assert page.ask("return document.documentElement.lang").startswith(lang)
        assert len(page.all("h1")) == 1, view
        assert page.all("main .problem") == [], (view, page.text())
        assert bool(re.search(r"[\u4e00-\u9fff]{2}", page.text("h1"))) == (
            lang == "zh" and not view.startswith("payments/")
        )
        assert axe(page) == [], view


def test_the_night_colours_can_be_read_too(page: Browser) -> None:
    """Contrast holds where the person prefers dark, with all that can be unfolded unfolded."""
    page.dark(True)
    try:
        for view in ("overview", f"payments/{DOUBTFUL}"):
            page.open(view)
            page.ask("document.querySelectorAll('main details').forEach((d) => { d.open = true; })")
            page.settled()
            assert axe(page) == [], view
    finally:
        page.dark(False)


def test_the_overview_says_what_to_do_first(page: Browser, shop: Shop) -> None:
    """Next step, backlog and alarms are those of the API; states differ in word and shape."""
    page.open("overview")
    page.until(
        lambda: (
            page.text(".next .big")
            == shop.daemon.get("/v1/explain").json["findings"][0]["step"]["en"]
        ),
        "the next step of the API",
    )
    assert page.text_of("#backlog .figure .big") == str(shop.daemon.unsent())
    alarms = {"printer.paper_out", "queue.held"}
    page.until(lambda: alarms <= set(page.each(".alarm .owner code")), "the alarms")
    shapes: dict[str, set[str]] = {}
    told = (
        "[one.classList[1], one.querySelector('.state span').innerText,"
        " one.querySelector('svg').innerHTML]"
    )
    for kind, word, drawn in page.each(".tile", told):
        shapes.setdefault(kind, set()).update((word, drawn))
    assert {"ok", "fault", "not_fitted"} <= shapes.keys()
    for kind, (one) in shapes.items():
        assert len(one) == 2, kind  # the same word and shape wherever that state is shown
    assert len(set.union(*shapes.values())) == 2 * len(shapes)


def test_one_payment_is_told_as_a_story_and_a_verdict(page: Browser, shop: Shop) -> None:
    """The same findings in the same order as everywhere, and whether to take it again in big."""
    page.open(f"payments/{DOUBTFUL}")
    said = shop.daemon.get(f"/v1/transactions/{DOUBTFUL}/explain").json
    shown = page.each(".verdict .finding", "one.dataset.code")
    assert shown == [one["code"] for one in [*said["findings"], *said["suggestions"]]]
    assert page.text_of(".verdict .headline") == said["headline"]["en"]
    assert said["advice"]["retry"] == "do_not_retry"
    assert page.text_of(".again .big") == "No. Do not take it again."
    assert page.text(".way li.done:last-of-type, .way").startswith("Captured")
    titles = page.each(".story .title")
    assert titles.index("Stored") < titles.index("Sending began")
    assert any("no answer" in one for one in titles)
    times = page.each(".story .at time", "one.dateTime")
    moments = [datetime.fromisoformat(one) for one in times]
    assert moments == sorted(moments)
    page.open(f"payments/{DECLINED}")
    assert "declined" in page.text().lower()


def test_a_question_about_many_names_each_of_them(page: Browser, shop: Shop) -> None:
    """What is late, with a way to each payment."""
    page.open("why/late")
    said = shop.daemon.get("/v1/explain/late").json
    assert page.text_of(".headline") == said["headline"]["en"]
    listed = page.each("[data-at^=about-]")
    assert listed == [one["key"] for one in said["payments"]]
    assert DOUBTFUL in listed
    page.press(f"[data-at='about-{DOUBTFUL}']")
    page.until(lambda: DOUBTFUL in page.text("h1"), "that payment")


def test_the_language_is_switched_and_remembered(page: Browser) -> None:
    """On the same view, and after loading it anew."""
    page.open("slips")
    page.press("[data-at=lang]")
    page.until(lambda: page.text("h1") == "单据", "Chinese")
    page.driver.refresh()
    page.until(lambda: page.text("h1") == "单据", "Chinese still")
    page.press("[data-at=lang]")
    page.until(lambda: page.text("h1") == "Slips", "English")


def test_a_support_bundle_is_made_and_handed_over(page: Browser, tmp_path: Path) -> None:
    """The file that arrives is the one that was made, byte by byte."""
    page.driver.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)}
    )
    page.open("terminal")
    page.press("#bundle")
    digest = page.text_of("main code.long")
    (file,) = page.until(lambda: list(tmp_path.glob("*.tar.gz")), "the file")
    assert hashlib.sha256(file.read_bytes()).hexdigest() == digest


def test_guidance_for_the_cashier_is_one_step_away(page: Browser) -> None:
    """What to do and what to say to the customer, from the catalogue."""
    page.open(f"payments/{DOUBTFUL}")
    page.press(".finding summary")
    page.until(lambda: "Say to the customer" in page.text(".verdict"), "the guidance")


def test_payments_are_found_by_what_stands_on_a_slip(page: Browser) -> None:
    """Key, trace number, and amount as written."""
    page.open("payments")
    for typed, number in (("000104", 104), ("1,299.00", 106), (POSTED, 101)):
        field = page.one("#search")
        field.clear()
        field.send_keys(typed, Keys.ENTER)
        page.until(
            lambda number=number: page.each("main table tbody th") == [key(number)],
            f"only {number} for {typed}",
        )
    assert AMOUNTS[5] == 129_900
    page.one("#search").clear()
    page.one("#search").send_keys("no such payment", Keys.ENTER)
    page.until(lambda: "No payment matches." in page.text(), "none")
    page.one("#search").clear()
    page.one("#search").send_keys(Keys.ENTER)


def test_the_keyboard_is_enough(page: Browser) -> None:
    """Skip link, header, navigation, content in this order; all visible; focus goes with a view."""
    page.open("overview")
    page.driver.refresh()
    page.settled()
    met: list[str] = []
    for _ in range(24):
        page.keys(Keys.TAB)
        one = page.focused()
        ring = page.ask(
            "const s = getComputedStyle(arguments[0]);"
            "const b = arguments[0].getBoundingClientRect();"
            "return [s.outlineStyle, b.width > 0 && b.bottom > 0]", one,
        )  # fmt: skip
        assert ring == ["solid", True], one.get_attribute("outerHTML")
        met.append(one.get_attribute("id") or one.get_attribute("data-at") or one.tag_name)
    assert met[0] == "skip"
    order = ["skip", "brand", "lang", "who", "nav-overview", "nav-terminal"]
    assert [one for one in met if one in order] == order
    page.ask("document.querySelector('[data-at=nav-why]').focus()")
    page.keys(Keys.ENTER)
    page.until(lambda: page.focused().get_attribute("id") == "main", "focus on the content")
    assert "Why" in page.driver.title
    page.size(*NARROW)
    page.one(".burger").send_keys(Keys.ENTER)
    assert page.focused().get_attribute("data-at") == "nav-overview"
    page.keys(Keys.ESCAPE)
    assert page.each(".burger", "one.ariaExpanded") == ["false"]


def test_an_alarm_is_taken_in_hand_and_stays_visible(page: Browser, shop: Shop) -> None:
    """Who and the note stand beside it; what is not finished is asked for."""
    page.open("overview")
    page.press("[data-at='take-printer.paper_out']")
    page.one("#ack-to").send_keys("Li")
    page.one("#ack-note").send_keys("new roll is on its way")
    page.press("dialog .main")
    page.until(lambda: "Li has it in hand" in page.text("#alarms"), "who has it in hand")
    assert "new roll is on its way" in page.text("#alarms")
    alarm = shop.daemon.alarms()["printer.paper_out"]
    assert alarm["acknowledged_note"] == "new roll is on its way"
    page.press("[data-at='back-printer.paper_out']")
    page.until(lambda: "Li has it in hand" not in page.text("#alarms"), "given back")


def test_what_will_happen_is_said_before_it_happens(page: Browser, shop: Shop) -> None:
    """Release and hold ask first; Escape does nothing; giving up needs the host's word."""
    page.open(f"payments/{HELD}")
    page.press("[data-at=do-release]")
    assert "sent by itself again" in page.text_of("dialog")
    page.keys(Keys.ESCAPE)
    page.until(lambda: not page.all("dialog"), "closed")
    assert shop.daemon.record(HELD)["state"] == "held"
    assert page.focused().get_attribute("data-at") == "do-release"
    page.press("[data-at=do-abandon]")
    page.press("dialog button[type=submit]")
    page.until(lambda: page.all("dialog .problem"), "what is missing")
    page.keys(Keys.ESCAPE)
    page.until(lambda: not page.all("dialog"), "closed")
    page.press("[data-at=do-release]")
    page.press("dialog .main")
    page.until(lambda: shop.daemon.record(HELD)["state"] != "held", "released")
    page.press("[data-at=do-hold]")
    page.press("dialog .main")
    page.until(lambda: shop.daemon.record(HELD)["state"] == "held", "held again")
    page.until(lambda: page.all("[data-at=do-release]"), "the page follows")


def test_a_bank_list_in_gb18030_is_reconciled(page: Browser, tmp_path: Path) -> None:
    """Sent in pieces, followed to its end, told by class; what is amiss is shown first."""
    file = bank_list(tmp_path)
    page.open("reconcile")
    page.one("#list-file").send_keys(str(file))
    page.press("main form button[type=submit]")
    page.until(lambda: "#/reconcile/" in page.driver.current_url, "taken")
    page.until(lambda: page.all("[data-at=class-matched]"), "done")
    page.settled()
    assert "清算明细.csv" in page.text()
    assert "gb18030" in page.text().lower()
    assert page.text_of("[data-at=class-matched]").endswith(" 4")
    page.until(lambda: "amount differs" in page.text("main table"), "what differs")
    assert key(103) in page.text("main table")
    assert key(101) not in page.text("main table")
    page.press("[data-at=class-matched]")
    page.until(lambda: key(101) in page.text("main table"), "what matches")
    file.write_bytes(b"no list\x00at all")
    page.open("reconcile")
    page.one("#list-file").send_keys(str(file))
    page.press("main form button[type=submit]")
    page.until(lambda: page.all("main .problem"), "why it cannot be read")
    assert "nothing was imported" in page.text("main .problem")


def test_an_inspection_is_followed_while_it_runs(page: Browser) -> None:
    """Begun here, shown as it comes in, and how far it is is said aloud."""
    page.open("checks")
    page.ask(
        "window.said = []; new MutationObserver(() => window.said.push("
        "document.getElementById('said').textContent))"
        ".observe(document.getElementById('said'), {childList: true})"
    )
    page.press("#inspect")
    page.one("#inspection")
    page.until(lambda: page.all("#inspection .buttons"), "the end of it")
    # A quick terminal is done before anything can be said of its half: the end is always said.
    page.until(
        lambda: any(
            re.fullmatch(r"(\d+) of \1 done", one) for one in page.ask("return window.said")
        ),
        "the end of it, said aloud",
    )
    assert re.search(r"(\d+) of \1 done", page.text("#inspection"))
    assert page.all("#inspection .check.fault")


def test_a_drill_is_followed_while_it_runs(page: Browser) -> None:
    """Its steps are told before it begins, and its result after."""
    page.open("checks")
    page.press("#drill")
    assert len(page.all("dialog .guided li")) == 4
    page.one("#drill-records").clear()
    page.one("#drill-records").send_keys("3")
    page.press("dialog .main")
    page.until(lambda: page.all("#drilled .big"), "the end of it")
    assert page.all("#drilled .check.ok")


def test_a_voucher_is_looked_at_before_it_is_printed(page: Browser) -> None:
    """Its text is shown; a printer without paper prints nothing and says so."""
    page.open(f"payments/{POSTED}")
    page.press("[data-at=view-voucher]")
    page.until(lambda: page.all("pre.slip"), "the voucher")
    assert "12.50" in page.text("pre.slip")
    page.press("[data-at=print-voucher]")
    page.press("dialog .main")
    page.until(lambda: page.all("dialog .problem"), "why it is not printed")
    page.keys(Keys.ESCAPE)
    page.complaints()  # the browser notes every refusal of the API as an error of its own


def test_a_session_that_ended_loses_nothing_that_was_typed(page: Browser, shop: Shop) -> None:
    """The sign-in stands above what was being written; after it the work is done."""
    page.open("overview")
    page.press("[data-at='take-queue.held']")
    page.one("#ack-note").send_keys("asked the acquirer")
    page.ask("return fetch('/v1/session', {method: 'DELETE'}).then((a) => a.status)")
    page.press("dialog .main")
    page.one("#code").send_keys("00000000", Keys.ENTER)
    page.until(lambda: "session." in page.text("dialog:last-of-type .problem"), "a wrong code")
    field = page.one("#code")
    field.clear()
    field.send_keys(shop.code(), Keys.ENTER)
    page.until(lambda: not page.all("dialog"), "both done")
    assert shop.daemon.alarms()["queue.held"]["acknowledged_note"] == "asked the acquirer"
    page.complaints()


def test_the_page_follows_what_happens(page: Browser, shop: Shop) -> None:
    """A new roll is seen without anybody asking."""
    page.open("overview")
    page.until(lambda: "out of paper" in page.text("#alarms"), "the alarm")
    shop.printer.switch(paper="ok")
    page.until(lambda: "out of paper" not in page.text("#alarms"), "no alarm")
    shop.printer.switch(paper="out")
    page.until(lambda: "out of paper" in page.text("#alarms"), "the alarm again")


def test_signing_out_shows_nothing_any_more(page: Browser, shop: Shop) -> None:
    """No payment stays on the screen of a terminal somebody left."""
    page.open(f"payments/{POSTED}")
    page.press("[data-at=who]")
    page.until(lambda: "Sign in first" in page.text(), "signed out")
    assert POSTED not in page.text()
    page.sign_in(shop.code())
    page.until(lambda: POSTED in page.text(), "where it was")
    page.complaints()
