"""The shapes of `agent.config` in words: what a key may hold, its default, all keys there are.

Read by introspection, so that a message, the key table in the documentation and the check itself
cannot drift apart. Knows nothing of files. Called by `agent.settings` and the command line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import inspect as shapes

from agent.config import Config
from agent.core.money.iso8583_fields import NOTATION
from agent.record import dataclass
from agent.settings.problems import Both, shown

#: Regular expressions are for programs; an unknown one is shown as it is.
_PATTERNS: Mapping[str, Both] = {
    r"^([01][0-9]|2[0-3]):[0-5][0-9]$": (
        "a time of day, 00:00 to 23:59",
        "一天中的时刻，00:00 至 23:59",
    ),
    r"^[A-Za-z0-9_-]{1,64}$": (
        "1 to 64 letters, digits, _ or -",
        "1 至 64 个字母、数字、_ 或 -",
    ),
    r"^[A-Za-z0-9_-]{0,64}$": (
        "up to 64 letters, digits, _ or -",
        "最多 64 个字母、数字、_ 或 -",
    ),
    r"^[a-z0-9_]+(\.[a-z0-9_]+)+$": ("a cause code such as queue.held", "原因代码，如 queue.held"),
    r"^[a-z][a-z0-9_]{0,39}\.[a-z][a-z0-9_]{0,63}$": (
        "COMPONENT.VALUE such as printer.cuts",
        "部件.数值，如 printer.cuts",
    ),
    r"^[a-z][a-z0-9_]{0,39}$": (
        "up to 40 of a-z 0-9 _, a letter first",
        "最多 40 个 a-z 0-9 _，以字母开头",
    ),
    r"^([a-z][a-z0-9_]{0,39})?$": (
        "up to 40 of a-z 0-9 _, a letter first, or empty",
        "最多 40 个 a-z 0-9 _，以字母开头，或留空",
    ),
    r"^/": ("an absolute path", "绝对路径"),
    r"^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)+$": (
        "an Android package such as com.example.pay",
        "安卓应用包名，如 com.example.pay",
    ),
    r"^[A-Za-z0-9_.:*?@-]{0,15}$": (
        "the name of an interface, * and ? for any, or empty",
        "网络接口名，可用 * 和 ?，或留空",
    ),
    r"^([A-Za-z][A-Za-z0-9._-]{0,127})?$": (
        "letters, digits, . _ -, a letter first, or empty",
        "字母、数字、. _ -，以字母开头，或留空",
    ),
    r"^[A-Za-z0-9._-]{1,64}$": ("1 to 64 letters, digits, . _ -", "1 至 64 个字母、数字、. _ -"),
    r"^$|^(http|socks5)://[^/]+$": (
        "http://[user@]host:port, socks5://[user@]host:port, or empty",
        "http://[用户@]主机:端口、socks5://[用户@]主机:端口，或留空",
    ),
    r"^[0-9a-f]{64}$": ("64 hexadecimal digits", "64 位十六进制数"),
    r"^[0-9a-f]{4}:[0-9a-f]{4}$": ("a USB id such as 1a86:7523", "USB 编号，如 1a86:7523"),
    r"^([0-9a-fA-F]{64}|[A-Za-z0-9+/]{43}=)$": (
        "64 hexadecimal digits, or 32 bytes in base64",
        "64 位十六进制数，或 32 字节的 base64",
    ),
    r"^(([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9])?$": (
        "hours such as 02:00-05:00, or empty",
        "时段，如 02:00-05:00，或留空",
    ),
    r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$": (
        "up to 64 letters, digits, . _ + -",
        "最多 64 个字母、数字、. _ + -",
    ),
    r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$": (
        "a time of day such as 18:30, up to 24:00",
        "时刻，如 18:30，最晚 24:00",
    ),
    r"^[+-](0[0-9]|1[0-4]):[0-5][0-9]$": ("an offset such as +08:00", "时差，如 +08:00"),
    r"^((127(\.[0-9]{1,3}){3}|\[::1\]):[0-9]{1,5})?$": (
        "127.x.x.x:PORT, [::1]:PORT, or empty",
        "127.x.x.x:端口、[::1]:端口，或留空",
    ),
    r"^[A-Za-z0-9._@-]{0,15}$": ("the name of an interface, or empty", "网络接口名，或留空"),
    r"^[0-9A-Fa-f.:]{0,45}$": ("an IP address, or empty", "IP 地址，或留空"),
    r"^https?://": ("an https:// address", "https:// 地址"),
    r"^(http://.+)?$": ("an http:// address, or empty", "http:// 地址，或留空"),
    r"^mqtts?://[^/]+$": ("mqtts://host:port", "mqtts://主机:端口"),
    r"^[A-Z]{3}$": ("a currency such as CNY", "货币代码，如 CNY"),
    r"^[!-~]{1,16}$": ("up to 16 characters without spaces", "最多 16 个字符，不含空格"),
    r"^[!-~]{1,32}$": ("up to 32 characters without spaces", "最多 32 个字符，不含空格"),
    r"^[1-5][0-9][0-9]$": ("HTTP status 100 to 599", "HTTP 状态码 100 至 599"),
    r"^([0-9A-Fa-f]{10})?$": ("10 hexadecimal digits, or empty", "10 位十六进制数，或留空"),
    r"^([0-9A-Fa-f]{2}){0,32}$": (
        "hexadecimal, up to 32 bytes",
        "十六进制，最多 32 字节",
    ),
    r"^([0-9A-Fa-f]{2}){0,512}$": (
        "hexadecimal, up to 512 bytes",
        "十六进制，最多 512 字节",
    ),
    r"^([2-9]|[1-9][0-9]|1[01][0-9]|12[0-8])$": ("field 2 to 128", "域 2 至 128"),
    r"^[0-9A-Z]{2}$": ("two digits or capitals", "两位数字或大写字母"),
    r"^[!-~]{0,8}$": ("up to 8 characters", "最多 8 个字符"),
    r"^[!-~]{0,15}$": ("up to 15 characters", "最多 15 个字符"),
    NOTATION: (
        "a notation such as n6, n..19, ans...999, b64",
        "域格式，如 n6、n..19、ans...999、b64",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key as the documentation shows it."""

    table: str
    name: str
    allowed: Both
    default: str  #: TOML; empty: must be given

    @property
    def path(self) -> str:
        """What documentation calls it: `telemetry.window`, `uplink.url`, `uplink.iso8583.host`."""
        return f"{_dotted(self.table)}.{self.name}"


#: Behind the header of an array's entry that is one of several types.
_VARIANT = ' # type = "'


def _dotted(table: str) -> str:
    name, _, variant = table.partition(_VARIANT)
    dotted = name.strip("[]")
    return f"{dotted}.{variant[:-1]}" if variant else dotted


def keys() -> list[Key]:
    """Every key there is, in the order of `agent.config`, with its bounds and default."""
    found = []
    for table, shape in tables().items():
        if shape.tag_field is not None:
            tag = shown("", str(shape.tag))
            found.append(Key(table=table, name=shape.tag_field, allowed=(tag, tag), default=tag))
        for entry in shape.fields:
            default = "" if entry.required else shown(entry.name, _default(entry), 10_000)
            if default == "null":
                default = "unset"
            found.append(
                Key(table=table, name=entry.name, allowed=allowed(entry.type), default=default)
            )
    return found


def effective(config: Config) -> Iterator[tuple[str, str, str]]:
    """(table, key, TOML value) of everything in force, secrets masked."""
    plain = msgspec.to_builtins(config)
    for name, value in plain.items():
        if isinstance(value, list | tuple):
            for entry in value:
                yield from _rows(f"[[{name}]]", entry)
        elif name == "health":
            for code, delay in value.items():
                yield from _rows(f'[health."{code}"]', delay)
        else:
            yield from _rows(f"[{name}]", value)


def allowed(shape: shapes.Type) -> Both:
    """The values a key may have, in words."""
    match shape:
        case shapes.BoolType():
            return "true or false", "true 或 false"
        case shapes.IntType(ge=low, le=high):
            return f"whole number {low} to {high}", f"整数 {low} 至 {high}"
        case shapes.FloatType(gt=0, ge=None, le=None):
            return "number above 0", "大于 0 的数值"
        case shapes.FloatType(ge=low, le=high):
            return f"number {low:g} to {high:.12g}", f"数值 {low:g} 至 {high:.12g}"
        case shapes.LiteralType(values=values):
            words = ", ".join(shown("", value) for value in values)
            return f"one of {words}", f"以下之一：{words}"
        case shapes.StrType(pattern=str(pattern), max_length=longest):
            limit = "" if longest is None else f", {longest} characters at most"
            limit_zh = "" if longest is None else f"，最多 {longest} 个字符"
            en, zh = _PATTERNS.get(pattern, (f"text like {pattern}", f"符合 {pattern} 的文本"))
            return en + limit, zh + limit_zh
        case shapes.StrType(min_length=least, max_length=int(longest)):
            return f"text, {least or 0} to {longest} characters", (
                f"文本，{least or 0} 至 {longest} 个字符"
            )
        case shapes.StrType():
            return "text in quotes", "引号内的文本"
        case shapes.VarTupleType(item_type=shapes.StructType() | shapes.UnionType()):
            return "a [[table]] for each", "每项一个 [[表]]"
        case shapes.VarTupleType(item_type=item):
            en, zh = allowed(item)
            return f"list of: {en}", f"列表，每项为{zh}"
        case shapes.DictType(key_type=key, value_type=value) if not _is_table(value):
            return (
                f"table: {allowed(key)[0]} = {allowed(value)[0]}",
                f"表：{allowed(key)[1]} = {allowed(value)[1]}",
            )
        case shapes.UnionType():
            word, table = allowed(present(shape, "")), allowed(present(shape, {}))
            if word == table:
                return word
            return f"{word[0]}, or {table[0]}", f"{word[1]}，或{table[1]}"
    return "a table", "一个表"


def present(shape: shapes.UnionType, value: object) -> shapes.Type:
    """What a key holds when it is given: TOML has no null. Of a word and a table the one meant, of
    a word and a number too."""
    given = [one for one in shape.types if not isinstance(one, shapes.NoneType)]
    meant = [one for one in given if _is_table(one) is isinstance(value, Mapping)]
    words = [one for one in meant if isinstance(one, shapes.LiteralType) is isinstance(value, str)]
    return (words or meant or given)[0]


def variants(shape: shapes.Type) -> Mapping[str, shapes.StructType]:
    """Tag -> shape of a table that is one of several types, the usual one first; else nothing."""
    if not isinstance(shape, shapes.UnionType):
        return {}
    return {
        str(one.tag): one
        for one in shape.types
        if isinstance(one, shapes.StructType) and one.tag_field is not None
    }


def _is_table(shape: shapes.Type) -> bool:
    return isinstance(shape, shapes.StructType)


def tables() -> dict[str, shapes.StructType]:
    """Header as documented -> its shape."""
    found = {}
    for entry in struct(Config).fields:
        match entry.type:
            case shapes.StructType() as shape:
                found[f"[{entry.name}]"] = shape
            case shapes.VarTupleType(item_type=shapes.StructType() as shape):
                found[f"[[{entry.name}]]"] = shape
            case shapes.VarTupleType(item_type=shapes.UnionType() as union):
                for number, (tag, shape) in enumerate(variants(union).items()):
                    header = f"[[{entry.name}]]"
                    found[f'{header}{_VARIANT}{tag}"' if number else header] = shape
            case shapes.DictType(value_type=shapes.StructType() as shape):
                found[f"[{entry.name}.CODE]"] = shape
    return found


def all_keys() -> Iterator[tuple[str, str]]:
    """(table, name) of every key."""
    for table, shape in tables().items():
        for entry in shape.fields:
            yield table, entry.name


def struct(record: type[msgspec.Struct]) -> shapes.StructType:
    """The shape of one section."""
    shape = shapes.type_info(record)
    assert isinstance(shape, shapes.StructType)
    return shape


#: Names of the arrays of tables.
ARRAYS = tuple(header.strip("[]") for header in tables() if header.startswith("[["))


def _default(entry: shapes.Field) -> Any:
    return entry.default if entry.default_factory is msgspec.NODEFAULT else entry.default_factory()


def defaults() -> Mapping[str, Any]:
    """`agent.state_dir` -> its default, for the rules between keys."""
    return {
        f"{_dotted(table)}.{entry.name}": _default(entry)
        for table, shape in tables().items()
        for entry in shape.fields
        if not entry.required
    }


def _rows(table: str, values: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            inner = ", ".join(f'"{k}" = {shown(key, v, 10_000)}' for k, v in value.items())
            yield table, key, f"{{ {inner} }}" if inner else "{}"
        elif value is not None:
            yield table, key, shown(key, value, 10_000)


def fits(value: Any, shape: shapes.Type) -> bool:
    """Whether a TOML value may stand where `shape` is expected; tables and lists never."""
    match shape:
        case shapes.BoolType():
            return isinstance(value, bool)
        case shapes.IntType() if not isinstance(value, int) or isinstance(value, bool):
            return False
        case shapes.FloatType() if not isinstance(value, int | float) or isinstance(value, bool):
            return False
        case shapes.IntType(ge=low, le=high) | shapes.FloatType(ge=low, le=high):
            # Written so that nan, which compares with nothing, does not fit.
            return (low is None or value >= low) and (high is None or value <= high)
        case shapes.LiteralType(values=values):
            return any(type(value) is type(one) and value == one for one in values)
        case shapes.StrType(pattern=pattern, min_length=least, max_length=longest):
            return (
                isinstance(value, str)
                and value.isprintable()
                and (pattern is None or re.search(pattern, value) is not None)
                and len(value) >= (least or 0)
                and (longest is None or len(value) <= longest)
            )
    return False
