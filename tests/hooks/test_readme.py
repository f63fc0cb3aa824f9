"""What the vendors' README shows is true: configurations load, messages keep the contract."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from agent.config import Config
from agent.wire.hook_schemas import schemas

HOOKS = Path(__file__).resolve().parents[2] / "firmware_hooks"
READMES = ("README.md", "README.zh-CN.md")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def blocks(name: str, kind: str) -> list[str]:
    text = (HOOKS / name).read_text("utf-8")
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", READMES)
def test_its_configurations_are_taken(name: str) -> None:
    """Every key there is known and every value allowed."""
    shown = blocks(name, "toml")
    assert len(shown) == 2
    for text in shown:
        config = msgspec.convert(tomllib.loads(text), Config)
        assert config.hook


@pytest.mark.parametrize("name", READMES)
def test_its_messages_keep_the_contract(name: str) -> None:
    """The request, the answer and what is pushed are valid by the schemas beside it."""
    request, answer = (json.loads(text) for text in blocks(name, "json"))
    known = schemas()

    def valid(message: Any, schema: str) -> None:
        jsonschema.validate(message, known[schema], cls=jsonschema.Draft202012Validator)

    valid(request, "probe.request")
    valid(answer, "reading")
    curl = next(text for text in blocks(name, "sh") if "curl" in text)
    pushed = re.search(r"-d '(.*)'", curl)
    assert pushed is not None
    valid(json.loads(pushed.group(1)), "readings.push")


def test_both_languages_show_the_same() -> None:
    """What was tried in one language holds in the other; comments are translated."""

    def plain(name: str, kind: str) -> list[str]:
        return [re.sub(r" *#.*", "", text) for text in blocks(name, kind)]

    for kind in ("json", "toml"):
        assert plain(READMES[0], kind) == plain(READMES[1], kind)


@pytest.mark.parametrize("name", [*READMES, "contract/README.md"])
def test_its_links_lead_somewhere(name: str) -> None:
    """Examples, schemas and tables it points to are there."""
    text = (HOOKS / name).read_text("utf-8")
    links = [link for link in LINK.findall(text) if "://" not in link]
    assert links
    assert not [link for link in links if not (HOOKS / name).parent.joinpath(link).exists()]
