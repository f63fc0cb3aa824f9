"""Reading settings others export, in five formats and every bad state; nothing raises."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.terminal import SettingsFile
from agent.core.configuration.values import Raw
from agent.watch.configuration import files
from agent.watch.configuration.files import Export, FileError, State, decoded, export, read
from agent.watch.configuration.formats import Flat, FormError, guess, parse

FORMATS = ("ini", "json", "properties", "toml", "xml")
OLD = 1_700_000_000


def values(text: str, form: str) -> dict[str, Raw]:
    return parse(text, form).values


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [
        ("json", '{"a":{"b":"x","n":5,"t":true,"z":null},"l":["p",1],"o":[{"k":1}]}',
         {"a.b": "x", "a.n": 5, "a.t": True, "l": ("p", "1"), "o.0.k": 1}),
        ("toml", 'top = 1\n[a]\nb = "x"\nd = 2026-11-01\n',
         {"top": 1, "a.b": "x", "a.d": "2026-11-01"}),
        ("ini", "; c\n# c\ntop: 1\n[ merchant ]\nmid = 'x=y'\n[ipv4]\nmethod=auto\n",
         {"top": "1", "merchant.mid": "x=y", "ipv4.method": "auto"}),
        ("properties",
         '# c\n! c\na.b=x\nc : y\nd z\nname=\\u4e2d\nlong=one\\\n   two\nexport E="q"\nempty\n',
         {"a.b": "x", "c": "y", "d": "z", "name": "中", "long": "onetwo", "E": "q", "empty": ""}),
        ("xml", '<?xml version="1.0" encoding="gb18030"?><t id="T1"><m no="5">x</m><e/></t>',
         {"@id": "T1", "m@no": "5", "m": "x", "e": ""}),
        ("xml", '<map><string name="mid">898</string><int name="n" value="5"/></map>',
         {"mid": "898", "n@value": "5", "n": "5"}),
    ],
)  # fmt: skip
def test_each_format_becomes_flat_names(form: str, text: str, expected: dict[str, Raw]) -> None:
    """Dots between levels, sections, attributes, Android's named elements."""
    assert values(text, form) == expected


@pytest.mark.parametrize(
    ("form", "text", "twice"),
    [
        ("json", '{"a":1,"a":2,"b":1,"b":1}', {"a"}),
        ("ini", "[a]\nb=1\nb=2\n", {"a.b"}),
        ("properties", "a=1\na=2\n", {"a"}),
        ("xml", "<r><a>1</a><a>2</a></r>", {"a"}),
    ],
)
def test_a_name_given_twice_is_ambiguous(form: str, text: str, twice: set[str]) -> None:
    """Two values for one name: nobody knows which one the app goes by."""
    assert parse(text, form).twice == twice


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("json", ""), ("json", "[1]"), ("json", '{"a":'), ("json", "[" * 100_000),
        ("json", '{"a":' * 20 + "1" + "}" * 20), ("json", '{"a":' + "9" * 5_000 + "}"),
        ("toml", "a = "), ("toml", "a = 1\na = 2"), ("ini", "no value here"),
        ("properties", "a=\\\n" * 40_000),
        ("properties", "\n".join(f"k{n}=1" for n in range(2001))),
        ("xml", "<a>"), ("xml", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'),
        ("xml", "<a>" * 20 + "</a>" * 20),
    ],
)  # fmt: skip
def test_what_is_not_of_its_format_is_said(form: str, text: str) -> None:
    """Where, and never the text itself."""
    with pytest.raises(FormError) as raised:
        parse(text, form)
    assert len(str(raised.value)) < 200


@given(st.text(max_size=200), st.sampled_from(FORMATS))
def test_no_text_raises_anything_else(text: str, form: str) -> None:
    """A file is values, or not of its format."""
    try:
        assert isinstance(parse(text, form), Flat)
    except FormError:
        return


@given(st.binary(max_size=200), st.sampled_from(["auto", "utf-8", "gb18030", "utf-16"]))
def test_no_bytes_raise_anything_else(raw: bytes, encoding: str) -> None:
    """Text, or a state."""
    try:
        assert isinstance(decoded(raw, encoding), str)
    except (FileError, UnicodeError):
        return


@pytest.mark.parametrize(
    ("path", "text", "form"),
    [("/a.json", "", "json"), ("/a.nmconnection", "", "ini"), ("/a.PROP", "", "properties"),
     ("/a", " {", "json"), ("/a", "<a/>", "xml"), ("/a", "[s]", "ini"),
     ("/a", "a=1", "properties")],
)  # fmt: skip
def test_the_format_is_guessed(path: str, text: str, form: str) -> None:
    """By the name, or else by how it begins."""
    assert guess(path, text) == form


# -- files -------------------------------------------------------------------------------------


def told(path: Path, wanted: tuple[str, ...] = ("mid",), **config: Any) -> Export:
    return export(SettingsFile(path=str(path), **config), frozenset(wanted))


def old(path: Path) -> Path:
    os.utime(path, (OLD, OLD))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16"])
def test_encodings_are_told_apart(tmp_path: Path, encoding: str) -> None:
    """UTF-8 with or without its mark, GB18030, UTF-16."""
    file = tmp_path / "a.json"
    file.write_bytes('{"mid": "商户一"}'.encode(encoding))
    assert [one.value for one in told(file).told] == ["商户一"]
    assert [one.value for one in told(file, encoding=encoding).told] == ["商户一"]


def test_places_are_mapped_and_what_is_not_there_is_absent(tmp_path: Path) -> None:
    """Of what stands in the file twice nothing is told."""
    file = tmp_path / "a.ini"
    file.write_text("[m]\nid=1\ntid=2\ntid=3\n")
    places = {"merchant_id": "m.id", "terminal_id": "m.tid", "mode": "m.mode"}
    found = told(file, settings=places)
    assert [(one.name, one.value, one.source) for one in found.told] == [
        ("merchant_id", "1", "a.ini")
    ]
    assert (found.twice, found.absent) == (("terminal_id",), ("mode",))


def test_states_of_a_file(tmp_path: Path) -> None:
    """Each has its word, and none is a fault of the settings."""
    file = tmp_path / "a.json"
    assert told(file).state is State.MISSING
    file.mkdir()
    assert told(file).state is State.UNREADABLE
    file.rmdir()
    os.mkfifo(file)
    assert told(file).state is State.UNREADABLE
    file.unlink()
    file.write_bytes(b"\x7fELF\0\0")
    assert told(file).state is State.BINARY
    file.write_text('{"mid": ')
    assert told(old(file)).state is State.MALFORMED
    file.write_bytes(b"\xff" * 10)
    assert told(old(file)).state is State.MALFORMED
    with file.open("wb") as large:
        large.truncate(files.MAX_BYTES + 1)
    assert told(file).state is State.TOO_LARGE


def test_a_half_written_file_is_read_again(tmp_path: Path) -> None:
    """While it is being written; what stays half is said to be so."""
    file = tmp_path / "a.json"
    file.write_text('{"mid": ')
    waits: list[float] = []

    def written(wait_s: float) -> None:
        waits.append(wait_s)
        file.write_text('{"mid": "1"}')

    def form(raw: bytes) -> dict[str, Raw]:
        return parse(decoded(raw, "auto"), "json").values

    assert read(str(file), form, sleep=written) == {"mid": "1"}
    assert len(waits) == 1
    file.write_text('{"mid": ')
    with pytest.raises(FileError) as raised:
        read(str(file), form, sleep=waits.append)
    assert raised.value.state is State.HALF_WRITTEN
