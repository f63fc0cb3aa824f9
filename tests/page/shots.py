"""Every view of the page as a picture, in both languages and widths: to be looked at by a person.

Usage: python -m tests.page.shots DIR [VIEW …]
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.page.browser import NARROW, WIDE, Browser, browse
from tests.page.shop import DECLINED, DOUBTFUL, POSTED, Shop, bank_list, open_shop

VIEWS = {
    "overview": "overview",
    "payments": "payments",
    "payment": f"payments/{DOUBTFUL}",
    "declined": f"payments/{DECLINED}",
    "why": "why",
    "reconcile": "reconcile",
    "history": "history",
    "checks": "checks",
    "slips": "slips",
    "terminal": "terminal",
}


def main(folder: Path, views: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with open_shop() as shop, browse(shop.address) as page:
        page.open()
        page.sign_in(shop.code())
        _busy(page, folder)
        for lang in ("zh", "en"):
            page.speak(lang)
            for size in (WIDE, NARROW):
                for name in views or VIEWS:
                    _take(page, folder, lang, size, name)
        page.dark(True)
        _take(page, folder, "zh", WIDE, "payment")
        page.dark(False)
        _silent(page, shop, folder)


def _busy(page: Browser, folder: Path) -> None:
    """What comes of an inspection, a drill, a slip and a list that does not agree."""
    page.speak("zh")
    page.size(*WIDE)
    page.open("checks")
    page.one("#inspect").click()
    page.one("#inspection .buttons")
    page.one("#drill").click()
    page.driver.save_screenshot(str(folder / "drill-asks.png"))
    page.one("dialog .main").click()
    page.one("#drilled .big")
    page.shot(str(folder / "checked.png"))
    page.size(*WIDE)
    page.open(f"payments/{POSTED}")
    page.one("[data-at=view-voucher]").click()
    page.one("pre.slip")
    page.one("[data-at=paper-voucher]").click()
    page.one("img.paper")
    page.shot(str(folder / "voucher.png"))
    page.size(*WIDE)
    page.open("reconcile")
    page.one("#list-file").send_keys(str(bank_list(folder)))
    page.one("main form button[type=submit]").click()
    page.one("[data-at=class-matched]").click()
    page.settled()
    page.shot(str(folder / "reconciled.png"))


def _take(page: Browser, folder: Path, lang: str, size: tuple[int, int], name: str) -> None:
    page.size(*size)
    page.open(VIEWS[name])
    dark = "-dark" if page.is_dark else ""
    page.shot(str(folder / f"{name}-{lang}-{size[0]}{dark}.png"))


def _silent(page: Browser, shop: Shop, folder: Path) -> None:
    page.size(*WIDE)
    page.open("overview")
    shop.daemon.kill()
    page.one("#banner p")
    page.driver.save_screenshot(str(folder / "silent.png"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
