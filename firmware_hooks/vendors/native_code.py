"""Turns a vendor's native printer code into a reading of the hook contract, by the vendor's table.

Decides how a table is applied: one byte printed signed or unsigned, bit flags, fields inside flags,
which state hides which, and that a code nobody knows is *unknown* with the raw value. It knows no
vendor: every number stands in a table of its vendor's folder and in no other. The example hooks
`<vendor>/probe.printer` call `main`. Plain Python 3.8 or later, nothing but its own library; this
file is copied to the terminal beside the vendor's folder.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any, Dict

Message = Dict[str, Any]
Table = Dict[str, Any]
Entry = Dict[str, Any]

CONTRACT = 1
#: Where the vendor's bridge leaves the native code, unless NATIVE_FILE says otherwise (trials).
NATIVE_FILE = "/run/posagent/native/printer.json"
#: A file from the future: the clock was set back, so its age means nothing.
CLOCK_TOLERANCE_S = 5.0
NATIVE_MAX_BYTES = 4096
RAW_MAX_CHARACTERS = 500
_NUMBER = re.compile(r"-?([0-9]{1,10}|0[xX][0-9a-fA-F]{1,8})")
REASON_MAX_CHARACTERS = 300
FACT_MAX_CHARACTERS = 200


class Untold(Exception):  # noqa: N818 - not an error of this program
    """Nothing can be said; `reason` says why in English and Chinese, `cause` is a cause code."""

    def __init__(self, en: str, zh: str, cause: str = "") -> None:
        super().__init__(en)
        self.reason = {"en": en, "zh": zh}
        self.cause = cause


# --- native value -> reading --------------------------------------------------------------------


def reading(table: Table, native: Any, model: str = "") -> Message:
    """The contract's message for what the vendor's call answered."""
    message = {
        "contract": CONTRACT,
        "component": table["component"],
        "outcome": "reading",
        "source": table["api"][:FACT_MAX_CHARACTERS],
        "raw": raw_of(native),
    }
    try:
        told = _KINDS[table["kind"]](table, native)
        state, sure, facts = _state(table, told, model)
    except Untold as untold:
        return unknown(message, untold)
    message["state"] = state
    message["confidence"] = sure
    if facts:
        message["facts"] = {key: str(text)[:FACT_MAX_CHARACTERS] for key, text in facts.items()}
    return message


def unknown(message: Message, untold: Untold) -> Message:
    """The same message, saying that nothing can be told and why."""
    message = dict(message, outcome="unknown", reason=_in_language(untold.reason))
    if untold.cause:
        message["code"] = untold.cause
    return message


def raw_of(native: Any) -> int | str:
    """The native value as the contract takes it: a whole number or a text."""
    if isinstance(native, int) and not isinstance(native, bool) and abs(native) < 2**53:
        return native
    text = native if isinstance(native, str) else json.dumps(native, sort_keys=True)
    return text[:RAW_MAX_CHARACTERS]


class _Told:
    """What a native value says: table entries, shown values, and bits nobody knows."""

    def __init__(
        self, entries: list[Entry], shown: Message | None = None, strange_bits: int = 0
    ) -> None:
        self.entries = entries
        self.shown = shown or {}
        self.strange_bits = strange_bits


def _integer(table: Table, native: Any) -> _Told:
    code = _number(native)
    low, high = table.get("range", (-(2**31), 2**31 - 1))
    if code is None or not low <= code <= high:
        raise _strange(table, native)
    if table.get("low_byte"):
        code &= 0xFF
    codes = {entry["code"]: entry for entry in table["codes"]}
    if table["combine"] == "flags":
        return _flags(table, codes, code)
    if code not in codes:
        raise _strange(table, native)
    return _Told([codes[code]])


def _number(native: Any) -> int | None:
    """A whole number, also as text in decimal or 0x notation. True and 1.0 are not numbers here."""
    if isinstance(native, int) and not isinstance(native, bool):
        return native
    found = _NUMBER.fullmatch(native.strip()) if isinstance(native, str) else None
    if found is None:
        return None
    return int(found.group(), 16 if "x" in found.group().lower() else 10)


def _flags(table: Table, codes: dict[int, Entry], value: int) -> _Told:
    if value == 0 and 0 in codes:
        return _Told([codes[0]])
    entries, rest = [], value
    for mask in table.get("fields", ()):
        part = value & mask
        if part and part in codes:
            entries.append(codes[part])
            rest &= ~mask
        # A pattern of the field that is in no table stays in `rest`, as bits nobody knows.
    fields = 0
    for mask in table.get("fields", ()):
        fields |= mask
    for code, entry in codes.items():
        if code and not code & fields and rest & code:
            entries.append(entry)
            rest &= ~code
    return _Told(entries, strange_bits=rest)


def _word(table: Table, native: Any) -> _Told:
    codes = {entry["code"]: entry for entry in table["codes"]}
    if not isinstance(native, str) or native.strip() not in codes:
        raise _strange(table, native)
    return _Told([codes[native.strip()]])


def _object(table: Table, native: Any) -> _Told:
    """An object of getters: every field in a table of its own, the ones only shown left alone."""
    if not isinstance(native, dict) or not native:
        raise _strange(table, native)
    codes = {entry["code"]: entry for entry in table["codes"]}
    known = {code.partition("=")[0] for code in codes}
    entries, shown = [], {}
    for field in sorted(native):
        code = f"{field}={json.dumps(native[field])}"
        if code in codes:
            entries.append(codes[code])
        elif field in known:
            raise _strange(table, native)
        elif field in table.get("shown", ()):
            shown[_fact_name(field)] = native[field]
    if not entries:
        raise _strange(table, native)
    return _Told(entries, shown)


_KINDS = {"integer": _integer, "word": _word, "fields": _object}


def _strange(table: Table, native: Any) -> Untold:
    value = raw_of(native)
    return Untold(
        "{} answered {!r}, which is in no table of {}: tell the maintainers what the printer was "
        "doing".format(table["api"], value, table["vendor"])[:REASON_MAX_CHARACTERS],
        "{}返回了{!r}，{}的状态表中没有这个值：请告知维护者当时打印机的情况".format(
            table["api"], value, table["vendor"]
        )[:REASON_MAX_CHARACTERS],
    )


def _state(table: Table, told: _Told, model: str) -> tuple[Message, str, Message]:
    """State, confidence and facts; raises Untold where no entry says how the printer is."""
    state: Message = {}
    names: list[str] = []
    untold: Untold | None = None
    facts = dict(told.shown, native_name="; ".join(entry["name"] for entry in told.entries))
    for entry in told.entries:
        says = entry["says"]
        if says == "normal":
            state.update(_normal(table, model))
        elif says == "fault":
            state.update(entry["state"])
            if any(value is True for value in entry["state"].values()):
                names.append("{} ({})".format(entry["name"], entry["code"]))
        elif says == "busy":
            state["busy"] = True
        elif says == "unknown":
            untold = Untold(entry["reason"]["en"], entry["reason"]["zh"], entry.get("cause", ""))
        # "job": about a print job or a call. The printer answered; how it is was not said.
    if not names and (untold or told.strange_bits):
        # Known bits without a fault beside a strange one: what the strange one means may be worse.
        raise untold or _strange(table, _sum(told))
    if told.strange_bits:
        facts["unknown_bits"] = hex(told.strange_bits)
    if names:
        state.update(_not_hidden(table, told.entries, state))
        state["error"] = "; ".join(names)[:FACT_MAX_CHARACTERS]
    doubts = [_DOUBT.index(entry.get("sure", table["sure"])) for entry in told.entries]
    weakest = _DOUBT[max(doubts)]
    return state, weakest, facts


_DOUBT = ("documented", "observed", "reported", "deduced")


def _sum(told: _Told) -> int:
    value = told.strange_bits
    for entry in told.entries:
        value |= entry["code"]
    return value


def _normal(table: Table, model: str) -> Message:
    """What `normal` vouches for; a model known not to tell a thing vouches for less."""
    normal = dict(table["normal"])
    for key, models in table.get("told_only_by", {}).items():
        if model and not any(model.upper().startswith(one) for one in models):
            del normal[key]
    return normal


def _not_hidden(table: Table, entries: list[Entry], state: Message) -> Message:
    """Where only the worst is reported: what stands above it is surely not so."""
    order = table.get("hides", ())
    ranks: list[int] = []
    for entry in entries:
        told = [entry["hidden_by"]] if "hidden_by" in entry else []
        told += [key for key, value in entry.get("state", {}).items() if value is True]
        ranks += [i for i, keys in enumerate(order) if any(key in keys for key in told)]
    above = order[: min(ranks)] if ranks else ()
    return {
        key: False for keys in above for key in keys if key in table["normal"] and key not in state
    }


def _fact_name(field: str) -> str:
    """`mTemperature` -> `m_temperature`: facts have plain names."""
    return "".join("_" + c.lower() if c.isupper() else c for c in field)[:40]


def _in_language(reason: dict[str, str]) -> str:
    lang = "zh" if os.environ.get("LANG", "").lower().startswith("zh") else "en"
    return reason[lang][:REASON_MAX_CHARACTERS]


# --- where the native value comes from ----------------------------------------------------------


def native_from(path: Path) -> tuple[Any, str, Message, float]:
    """(value, table name, about, age in seconds) of the bridge's file. Raises Untold."""
    try:
        with path.open("rb") as file:
            written_s = os.fstat(file.fileno()).st_mtime
            content = file.read(NATIVE_MAX_BYTES + 1)
    except FileNotFoundError:
        raise Untold(
            f"{path} does not exist: the vendor's bridge has not written the printer's state yet",
            f"{path}不存在：厂商桥接程序尚未写入打印机状态",
        ) from None
    except PermissionError:
        raise Untold(
            f"{path} may not be read: needs read permission for the user of the agent",
            f"无权读取{path}：需要给代理程序的用户读权限",
        ) from None
    except OSError as error:
        raise Untold(f"{path} cannot be read: {error}", f"无法读取{path}：{error}") from None
    age_s = time.time() - written_s
    if age_s < -CLOCK_TOLERANCE_S:
        raise Untold(
            f"{path} was written in the future: the clock was set back, so its age is not known",
            f"{path}的时间在未来：时钟被回拨，无法得知其新旧",
        )
    return (*_parsed(content, path), max(0.0, round(age_s, 1)))


def _parsed(content: bytes, path: Path) -> tuple[Any, str, Message]:
    """A bare number or word, or an object {"code": ..., "table": ..., "model": ...}."""
    if len(content) > NATIVE_MAX_BYTES:
        raise _garbled(path)
    try:
        text = content.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise _garbled(path) from None
    if not text:
        raise _garbled(path)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text, "", {}
    if not isinstance(value, dict):
        return value, "", {}
    if "code" not in value:
        raise _garbled(path)
    about = {
        key: value[key][:FACT_MAX_CHARACTERS]
        for key in ("make", "model", "firmware", "serial")
        if isinstance(value.get(key), str)
    }
    table = value.get("table", "")
    return value["code"], table if isinstance(table, str) else "", about


def _garbled(path: Path) -> Untold:
    return Untold(
        f"{path} does not hold a native code: the bridge writes a number, a word or "
        '{"code": ...}',
        f'{path}中不是原生状态码：桥接程序应写入数字、字符串或{{"code": ...}}',
    )


# --- the hook -----------------------------------------------------------------------------------


def main(folder: Path, tables: tuple[str, ...], arguments: list[str]) -> int:
    """Answer a probe: `tables` of `folder`, the first is used where the bridge names none.

    With arguments, `[TABLE] CODE`, decode that code instead: for trying a table by hand.
    """
    message: Message = {"contract": CONTRACT, "component": "printer", "outcome": "unknown"}
    about: Message = {}
    try:
        if arguments:
            native, age_s = _typed(arguments[-1]), 0.0
            name = arguments[0] if len(arguments) > 1 else ""
        else:
            if not sys.stdin.isatty():
                sys.stdin.read()  # the request says nothing this hook does not know
            path = Path(os.environ.get("NATIVE_FILE", NATIVE_FILE))
            native, name, about, age_s = native_from(path)
        if name and name not in tables:
            raise Untold(
                "the bridge names the table {!r}; there is {}".format(name, ", ".join(tables)),
                "桥接程序指定了状态表{!r}，现有：{}".format(name, "、".join(tables)),
            )
        with (folder / ((name or tables[0]) + ".json")).open(encoding="utf-8") as file:
            table = json.load(file)
        message = reading(table, native, about.get("model", ""))
        if about:
            message["about"] = about
        if age_s:
            message["age_s"] = age_s
    except Untold as untold:
        message = unknown(message, untold)
    json.dump(message, sys.stdout)
    sys.stdout.write("\n")
    return 0


def _typed(argument: str) -> Any:
    try:
        return json.loads(argument)
    except ValueError:
        return argument
