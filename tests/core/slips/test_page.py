"""The slip with the page's address and code."""

from __future__ import annotations

import pytest

from agent.core.slips import page
from agent.core.slips.paper import Pair, Qr, Slip, Text

ADDRESS = "https://192.168.7.2:8470/"


def made(lang: str, fingerprint: str = "ab" * 32) -> Slip:
    return page.slip(
        address=ADDRESS,
        code="12345678",
        code_s=300,
        closes_s=900,
        fingerprint=fingerprint,
        lang=lang,
    )


def words(slip: Slip) -> list[str]:
    return [block.text for block in slip.blocks if isinstance(block, Text)]


@pytest.mark.parametrize(("lang", "title"), [("zh", "登录码"), ("en", "Code")])
def test_address_code_and_time_are_on_it(lang: str, title: str) -> None:
    """What has to be typed, in groups, and how long it counts."""
    slip = made(lang)
    pairs = {block.left: block.right for block in slip.blocks if isinstance(block, Pair)}
    assert pairs[title] == "1234 5678"
    assert ADDRESS in words(slip)
    assert any("15" in right for right in pairs.values())
    assert slip.name == "page"


def test_the_code_to_scan_is_no_way_in() -> None:
    """A photograph of the QR code does not hold the digits."""
    (code,) = [block for block in made("zh").blocks if isinstance(block, Qr)]
    assert code.data == ADDRESS.encode()


def test_the_fingerprint_is_whole_and_readable() -> None:
    """64 digits in groups of four, four groups a line; none without TLS."""
    lines = [line for line in words(made("en")) if line.startswith("ABAB")]
    assert lines == ["ABAB ABAB ABAB ABAB"] * 4
    assert not any("SHA-256" in line for line in words(made("en", "")))
