"""What the page's files are, without a browser: languages, size, old browsers, no stranger."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent.local.static import KINDS, PAGE

FILES = sorted(file for file in PAGE.rglob("*") if file.is_file())
SCRIPTS = [file for file in FILES if file.suffix == ".js"]
STYLES = [file for file in FILES if file.suffix == ".css"]
TABLES = ("zh", "en")
WHOLE_BYTES = 150 * 1024
LINES = 450
#: Newer than Chromium 69: a terminal with Android 9 that never updates its WebView.
TOO_NEW = {
    "optional chaining": r"\w\?\.[A-Za-z_(\[]",
    "nullish": r"\?\?",
    "numeric separator": r"\b\d+_\d",
    "logical assignment": r"(\|\||&&)=",
    "private member": r"this\.#|^\s*#\w+",
    "class field": r"class \w+[^{]*\{\s+(static )?\w+ = ",
    "bigint": r"\b\d+n\b",
    "newer method": r"\.(replaceAll|replaceChildren|at|flatMap|matchAll|hasOwn|fromEntries|"
    r"allSettled|any|structuredClone|randomUUID|arrayBuffer|toSorted|findLast)\(",
    "newer global": r"\b(globalThis|queueMicrotask|structuredClone|RelativeTimeFormat|"
    r"ListFormat|WeakRef|ResizeObserver)\b",
    "top-level await": r"^await ",
}
TOO_NEW_STYLE = {
    "selector": r":(has|is|where|focus-visible|user-invalid)\b",
    "function": r"[\s:(](clamp|min|max|color-mix|oklch)\(",
    "property": r"^\s*(inset|aspect-ratio|accent-color|gap|row-gap|column-gap|place-items|"
    r"content-visibility|text-wrap|container[a-z-]*|scrollbar-gutter)\s*:",
    "rule": r"@(layer|container|property|supports|import)\b",
}


def name_of(file: Path) -> str:
    return str(file.relative_to(PAGE))


def without_comments(text: str) -> str:
    return re.sub(r"(?m)^\s*//.*$", "", text)


def table(lang: str) -> dict[str, str]:
    """The texts of one language, read the plain way they are written in."""
    text = (PAGE / "js" / f"{lang}.js").read_text("utf-8")
    pairs = re.findall(r'"((?:[^"\\]|\\.)*)": "((?:[^"\\]|\\.)*)"', text)
    assert len(dict(pairs)) == len(pairs), "a key stands twice"
    return dict(pairs)


def test_both_languages_have_the_same_texts() -> None:
    """No key is missing in one of them, none is empty, and the places for figures are the same."""
    zh, en = (table(lang) for lang in TABLES)
    assert zh.keys() == en.keys()
    assert len(zh) > 300
    places = re.compile(r"\{\w+\}")
    for key in zh:
        assert zh[key].strip()
        assert en[key].strip()
        assert sorted(places.findall(zh[key])) == sorted(places.findall(en[key])), key


def test_every_text_that_is_asked_for_is_there() -> None:
    """What the scripts name exists, and what exists is named."""
    keys = table("en").keys()
    told = dict.fromkeys(keys, 0)
    for file in SCRIPTS:
        if file.stem in TABLES:
            continue
        text = file.read_text("utf-8")
        whole = set(re.findall(r'\bt\(\s*"([a-z_0-9.]+)"\s*[,)]', text))
        assert whole <= keys, (name_of(file), sorted(whole - keys))
        for quoted in set(re.findall(r'"([a-z_0-9.]+)"', text)):
            if quoted in told:
                told[quoted] += 1
        groups = set(re.findall(r'\b(?:word|t)\(\s*"([a-z_.]+?)\.?"\s*[,+]', text))
        groups |= set(re.findall(r'"([a-z_]+)\." \+', text))
        for key in keys:
            if key.rsplit(".", 1)[0] in groups or key.split(".", 1)[0] in groups:
                told[key] += 1
    assert [key for key, count in told.items() if not count] == []


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_a_file_is_small_and_of_a_kind_the_agent_serves(file: Path) -> None:
    """Each stays readable."""
    assert file.suffix[1:] in KINDS
    assert len(file.read_text("utf-8").splitlines()) <= LINES


def test_the_whole_page_is_small() -> None:
    """It is sent once over a cable or a slow network, uncompressed; of the languages one is."""
    size = {name_of(file): file.stat().st_size for file in FILES}
    other = min(size[f"js/{lang}.js"] for lang in TABLES)
    assert sum(size.values()) - other <= WHOLE_BYTES


@pytest.mark.parametrize("file", SCRIPTS, ids=name_of)
def test_scripts_are_understood_by_old_browsers(file: Path) -> None:
    """Nothing newer than ES2019 and Chromium 69."""
    text = without_comments(file.read_text("utf-8"))
    plain = re.sub(r'"(?:[^"\\\n]|\\.)*"', '""', text)  # words in texts are no syntax
    for what, pattern in TOO_NEW.items():
        found = re.search(pattern, plain, re.MULTILINE)
        assert found is None, (what, found)


@pytest.mark.parametrize("file", STYLES, ids=name_of)
def test_styles_are_understood_by_old_browsers(file: Path) -> None:
    """Nothing newer than 2019; spacing between flex items by margins."""
    text = re.sub(r"/\*.*?\*/", "", file.read_text("utf-8"), flags=re.DOTALL)
    one_a_line = text.replace("{", "{\n").replace(";", ";\n")
    for what, pattern in TOO_NEW_STYLE.items():
        found = re.search(pattern, one_a_line, re.MULTILINE)
        assert found is None, (what, found)


def test_the_scan_for_what_is_too_new_finds_it() -> None:
    """The scan itself works."""
    samples = {
        "optional chaining": "a?.b", "nullish": "a ?? b", "newer method": "x.replaceAll(a, b)",
        "logical assignment": "a ||= b", "newer global": "globalThis.x",
    }  # fmt: skip
    for what, sample in samples.items():
        assert re.search(TOO_NEW[what], sample), what
    assert re.search(TOO_NEW_STYLE["selector"], "a:has(b)")
    assert not re.search(TOO_NEW["optional chaining"], "a ? .5 : b")


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_nothing_is_inline_and_nothing_comes_from_elsewhere(file: Path) -> None:
    """The strict content policy is kept by the files themselves; markup is never made of text."""
    text = file.read_text("utf-8")
    addresses = re.findall(r"https?://[^\s\"')]+", text)
    assert set(addresses) <= {"http://www.w3.org/2000/svg"}
    if file.suffix == ".html":
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", text)
    if file.suffix == ".js":
        banned = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function"
        assert not re.search(banned, text)
    if file.suffix == ".css":
        assert "url(" not in text
        assert "@import" not in text
