"""Debian's Chromium, driven: one per module, with what it complained about and where it asked.

Only what is installed is used; nothing is downloaded. Every wait has a condition and a deadline.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import JavascriptException, StaleElementReferenceException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests.process.daemon import PATIENCE_S, wait_until

#: What is looked at: a terminal's own screen, and a technician's laptop.
NARROW, WIDE = (360, 720), (1280, 860)


def missing() -> str:
    """Why no browser can be driven here; empty: one can."""
    lacking = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return f"no browser: {' and '.join(lacking)} not installed" if lacking else ""


class Browser:
    """A browser on one page."""

    def __init__(self, driver: webdriver.Chrome, address: str) -> None:
        self.driver = driver
        self.address = address
        self.is_dark = False

    # Looking.

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        """Once it is there and to be seen."""

        def found() -> WebElement | None:
            with contextlib.suppress(StaleElementReferenceException):
                return next((one for one in self.all(selector) if one.is_displayed()), None)
            return None

        element: WebElement = wait_until(found, f"{selector} on the page")
        return element

    def text(self, selector: str = "main") -> str:
        return str(self.ask("return document.querySelector(arguments[0]).innerText", selector))

    def each(self, selector: str, told: str = "one.innerText.trim()") -> list[Any]:
        """What each element there says, all in one moment: the page is alive and replaces them."""
        all_of_them = "[...document.querySelectorAll(arguments[0])]"
        found: list[Any] = self.ask(f"return {all_of_them}.map(one => {told})", selector)
        return found

    def ask(self, script: str, *given: Any) -> Any:
        return self.driver.execute_script(script, *given)

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        """As soon as `condition` holds; the page may change under it."""

        def held() -> Any:
            with contextlib.suppress(StaleElementReferenceException, JavascriptException):
                return condition()
            return None

        try:
            return wait_until(held, what, timeout_s=PATIENCE_S)
        except AssertionError as error:
            raise AssertionError(f"{error}; the page says {self.text('body')[:900]!r}") from None

    def settled(self) -> None:
        """Nothing is being asked any more."""
        wait_until(
            lambda: self.ask(
                "return document.querySelector('#rail a') && document.querySelector('main h1')"
                " && !document.querySelector('[aria-busy=true]')"
            ),
            "everything answered",
        )

    # Doing.

    def size(self, wide: int, high: int) -> None:
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": wide, "height": high, "deviceScaleFactor": 1, "mobile": wide < 600},
        )

    def dark(self, on: bool) -> None:
        self.is_dark = on
        features = [{"name": "prefers-color-scheme", "value": "dark" if on else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def open(self, view: str = "overview") -> None:
        """A view, from the start of the page if another one is shown."""
        self.driver.get(f"{self.address}#/{view}")
        self.settled()

    def speak(self, lang: str) -> None:
        self.ask("localStorage.setItem('posagent.lang', arguments[0]); location.reload()", lang)
        self.one("#main > *")
        self.settled()

    def press(self, selector: str) -> None:
        """Click it; once more if the page, which is alive, put a new one in its place just then."""

        def pressed() -> bool:
            try:
                self.one(selector).click()
            except StaleElementReferenceException:
                return False  # gone before the click reached it: nothing was pressed
            return True

        wait_until(pressed, f"{selector} was pressed")

    def text_of(self, selector: str) -> str:
        """What it says, read again if the page put a new one in its place while it was read."""

        def said() -> list[str]:
            try:
                return [self.one(selector).text]
            except StaleElementReferenceException:
                return []

        (text,) = wait_until(said, f"the text of {selector}")
        return str(text)

    def sign_in(self, code: str) -> None:
        self.press("[data-at=who]")
        self.one("#code").send_keys(code, Keys.ENTER)
        wait_until(lambda: not self.all("dialog"), "signed in")
        self.settled()

    def keys(self, *keys: str) -> None:
        webdriver.ActionChains(self.driver).send_keys(*keys).perform()

    def focused(self) -> WebElement:
        return self.driver.switch_to.active_element

    def shot(self, path: str) -> None:
        """The whole height of the page."""
        wide, _ = self.ask("return [innerWidth, innerHeight]")
        high = self.ask("return document.documentElement.scrollHeight")
        self.size(wide, min(int(high), 2600))
        self.driver.save_screenshot(path)

    # What happened behind the page.

    def complaints(self) -> list[str]:
        """What the console said since the last time this was asked."""
        return [
            f"{line['level']} {line['message']}"
            for line in self.driver.get_log("browser")
            if line["level"] in {"SEVERE", "WARNING"}
        ]

    def strangers(self) -> list[str]:
        """Addresses asked for that are not the page's own."""
        asked = []
        for line in self.driver.get_log("performance"):
            message = json.loads(line["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                asked.append(message["params"]["request"]["url"])
        own = (self.address, "data:", "blob:", "chrome:", "about:")
        return [address for address in asked if not address.startswith(own)]


@contextlib.contextmanager
def browse(address: str, lang: str = "en") -> Iterator[Browser]:
    """A browser that speaks `lang`."""
    options = Options()
    options.binary_location = shutil.which("chromium") or ""
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--disable-background-networking", "--disable-component-update", "--no-first-run",
        "--disable-sync", "--force-prefers-reduced-motion",
        f"--lang={lang}", f"--accept-lang={lang}",
    ):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with tempfile.TemporaryDirectory(prefix="downloads-") as downloads:
        options.add_experimental_option("prefs", {"download.default_directory": downloads})
        driver = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
        try:
            driver.set_script_timeout(60)
            yield Browser(driver, address)
        finally:
            driver.quit()
