"""What an installer may write into [page]."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent import settings
from agent.settings.problems import ConfigError


def loaded(folder: Path, text: str) -> settings.Loaded:
    file = folder / "posagent.toml"
    file.write_text(text, "utf-8")
    file.chmod(0o600)
    return settings.load(file)


def test_the_page_is_off_until_it_is_asked_for(tmp_path: Path) -> None:
    """No listener, no code, no keys, no stick by default; nothing readable without signing in."""
    page = loaded(tmp_path, "").config.page
    assert (page.listen, page.service_interface, page.service_address, page.token_file) == ("",) * 4
    assert (page.keys, page.stick, page.open_read, page.request_opens) == ((), "off", False, False)
    assert page.service_tls


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('listen = "0.0.0.0:8470"', "listen"),
        ('listen = "192.168.1.2:8470"', "listen"),
        ('listen = "localhost:8470"', "listen"),
        ('listen = "127.0.0.999:8470"', "listen"),
        ('listen = "127.0.0.1:99999"', "listen"),
        ('listen = "[::]:8470"', "listen"),
        ('service_address = "8.8.8.8"', "service_address"),
        ('service_address = "0.0.0.0"', "service_address"),
        ('service_address = "1.2.3"', "service_address"),
        ("request_opens = true", "request_opens"),
        ('keys = ["f1"]', "keys"),
        ('keys = ["f1", "f1"]', "keys"),
        ('keys = ["f1", "cancel"]', "keys"),
        ('keys = ["1", "cancel"]', "keys"),
        ("idle_s = 3600\nabsolute_s = 600", "idle_s"),
        ("open_red = true", "open_red"),
    ],
)
def test_what_would_open_too_much_is_refused(tmp_path: Path, text: str, key: str) -> None:
    """Public addresses, digits as keys, a request that opens nothing: named, in both languages."""
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, f"[page]\n{text}\n")
    assert any(key in problem.sentence("en") for problem in caught.value.problems)
    for problem in caught.value.problems:
        assert problem.sentence("zh") != problem.sentence("en")


def test_what_fits_is_taken(tmp_path: Path) -> None:
    """IPv6 loopback, a private address, two keys of a keypad."""
    text = """
        [page]
        listen = "[::1]:8470"
        service_address = "192.168.7.2"
        request_opens = true
        keys = ["f1", "cancel"]
        [keypad]
        name = "keypad"
    """
    page = loaded(tmp_path, text).config.page
    assert page.keys == ("f1", "cancel")
