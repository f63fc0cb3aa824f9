"""What bounds cannot express: addresses, files that must be there, keys that must fit each other.

Pure lookups and a look at the file system; no TOML, no line numbers. Called by `agent.settings`
for every value that fits its bounds (`alone`) and once for the whole (`between_keys`).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from agent.core.drill import SINK
from agent.core.money.iso8583_fields import form_of
from agent.record import dataclass
from agent.settings.adapter_rules import adapter_rules
from agent.settings.channel_rules import channel_rules
from agent.settings.page_rules import page_rules
from agent.settings.problems import Both, shown
from agent.settings.proxy_rule import proxy_url
from agent.settings.pull_rules import pull_rules
from agent.settings.terminal_rules import terminal_rules, terminal_warnings

#: sockaddr_un.sun_path on Linux, without its terminating NUL.
_SOCKET_PATH_BYTES = 107
_SOCKET_NAME = "api.sock"
_FILES = ("ca_file", "cert_file", "key_file", "password_file", "username_file")


@dataclass(frozen=True, slots=True)
class Trouble:
    """A rule between keys that does not hold, and the key to point at."""

    path: str
    found: str
    rule: Both


def alone(rule: str, value: Any, *, references: bool) -> Both | None:
    """What is wrong with one value by itself; `rule` is its key without counts: `uplink.url`."""
    if not isinstance(value, str) or not value:
        return None
    check = _ALONE.get(rule)
    complaint = check(value) if check else None
    if complaint is None and references and rule in _REFERENCES:
        return _readable(value)
    return complaint


def between_keys(merged: Mapping[str, Any], defaults: Mapping[str, Any]) -> Iterator[Trouble]:
    """Rules that need more than one key."""
    yield from _unique_names(merged)
    for number, uplink in enumerate(merged.get("uplink", ())):
        path = f"uplink.{number}"
        yield from _ordered(uplink, defaults, path, "backoff_base_s", "backoff_cap_s")
        yield from _certificate_with_key(uplink, path)
        if uplink.get("type") == "iso8583":
            yield from _acquirer(uplink, path)
    telemetry = merged.get("telemetry", {})
    yield from _ordered(telemetry, defaults, "telemetry", "reconnect_base_s", "reconnect_cap_s")
    yield from _certificate_with_key(telemetry, "telemetry")
    yield from _ordered(
        merged.get("scanner", {}),
        defaults,
        "scanner",
        "no_read_clear_percent",
        "no_read_percent",
        strictly=True,
    )
    yield from _ringing(merged.get("printer", {}))
    yield from _limits(merged)
    for key, found, rule in (
        *channel_rules(merged),
        *terminal_rules(merged),
        *adapter_rules(merged),
        *page_rules(merged),
        *pull_rules(merged),
    ):
        yield Trouble(key, shown(key.rpartition(".")[2], found), rule)
    yield from _ordered(merged.get("channels", {}), defaults, "channels", "quiet_s", "quiet_max_s")
    yield from _hooks(merged, defaults)
    yield from _remembered(merged, defaults)
    page = merged.get("page", {})
    yield from _ordered(page, defaults, "page", "idle_s", "absolute_s")
    api = merged.get("api", {})
    yield from _ordered(
        api, defaults, "api", "reserved_for_submit", "max_connections", strictly=True
    )


def warnings(merged: Mapping[str, Any]) -> Iterator[Both]:
    """What may be used but should be looked at."""
    if codes := merged.get("health"):
        from agent.core.health.standard import STANDARD

        for code in codes:
            if code not in STANDARD:
                yield (
                    f"[health.{code}]: nothing watches this yet, so it has no effect",
                    f"[health.{code}]：目前没有监测项使用它，不起作用",
                )
    for entry in merged.get("uplink", ()):
        if entry.get("tls") is False and not loopback(entry["host"]):
            where = f"[[uplink]] {entry['name']} tls"
            yield (
                f"{where}: payments travel in clear to {entry['host']}; only for a private line",
                f"{where}：交易以明文发往 {entry['host']}，仅限专线使用",
            )
    tables = [(f"[[uplink]] {entry['name']}", entry) for entry in merged.get("uplink", ())]
    for table, entry in [*tables, ("[telemetry]", merged.get("telemetry", {}))]:
        for key in ("key_file", "password_file", "username_file"):
            file = entry.get(key)
            if file and os.stat(file).st_mode & stat.S_IROTH:  # noqa: PTH116
                yield (
                    f"{table} {key}: every user can read {file}; run: chmod o= {file}",
                    f"{table} {key}：任何用户都能读取 {file}；请执行：chmod o= {file}",
                )
    yield from terminal_warnings(merged)


def unknown_code(code: str) -> str:
    """The nearest watched condition if there is no cause called `code`, else ""."""
    import difflib

    from agent.core.health.standard import STANDARD
    from agent.core.why.causes import CATALOGUE

    if code in CATALOGUE:
        return ""
    watched = [condition.code for condition in STANDARD]
    return difflib.get_close_matches(code, watched, n=1, cutoff=0.0)[0]


def loopback(host: str) -> bool:
    """Whether `host` can only be this machine."""
    import ipaddress

    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _address(value: str, plain: str, *, path_allowed: bool) -> Both | None:
    """Common to http(s):// and mqtt(s)://; `plain` is the scheme that may not leave the machine."""
    from urllib.parse import urlsplit

    try:
        url = urlsplit(value)
        host, port = url.hostname, url.port
    except ValueError as error:
        return f"not a valid address: {error}", f"地址无效：{error}"
    if not value.isascii() or " " in value:
        return "an address has no spaces and only ASCII", "地址只能包含 ASCII 字符且不能有空格"
    if not host or port == 0:
        return "an address needs a host, and a port above 0", "地址必须包含主机名，端口须大于 0"
    if url.username is not None or url.password is not None:
        return (
            "an address must not hold a user or password",
            "地址中不得包含用户名或密码",
        )
    if url.query or url.fragment or (not path_allowed and url.path):
        return (
            "an address must end before any ? or #" + ("" if path_allowed else " or /"),
            "地址中不得有 ? 或 #" + ("" if path_allowed else " 或 /"),
        )
    if url.scheme == plain and not loopback(host):
        return (
            f"{plain}:// only to this machine (localhost, 127.0.0.0/8, ::1); use {plain}s://",
            f"{plain}:// 只能用于本机（localhost、127.0.0.0/8、::1）；请使用 {plain}s://",
        )
    return None


def _host_url(value: str) -> Both | None:
    return _address(value, "http", path_allowed=True)


def _broker_url(value: str) -> Both | None:
    return _address(value, "mqtt", path_allowed=False)


def _probe_target(value: str) -> Both | None:
    if value.startswith("https://"):
        return _host_url(value)
    host, _, port = value.rpartition(":")
    if "/" in value or not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        return "must be host:port or an https:// address", "应为 host:port 或 https:// 地址"
    return None


def _absolute(value: str) -> Both | None:
    if value.startswith("/"):
        return None
    return "must be an absolute path", "必须是绝对路径"


def _node_or_usb(value: str) -> Both | None:
    if value.startswith("usb:"):
        vendor, colon, product = value.removeprefix("usb:").partition(":")
        digits = "0123456789abcdefABCDEF"
        if colon and all(len(one) == 4 and set(one) <= set(digits) for one in (vendor, product)):
            return None
        return "a USB id looks like usb:0c2e:0b61", "USB 标识的格式如 usb:0c2e:0b61"
    return _absolute(value)


def _node_or_network(value: str) -> Both | None:
    if not value.startswith("tcp://"):
        return _absolute(value)
    from urllib.parse import urlsplit

    try:
        url = urlsplit(value)
        fits = url.hostname and url.port != 0 and "@" not in url.netloc
    except ValueError:
        fits = None
    if fits and url.path in {"", "/"} and not (url.query or url.fragment) and value.isascii():
        return None
    rule = "a network printer looks like tcp://192.168.1.50:9100"
    return rule, "网络打印机的格式如 tcp://192.168.1.50:9100"


def _run_dir(value: str) -> Both | None:
    length = len(os.fsencode(value)) + 1 + len(_SOCKET_NAME)
    if length > _SOCKET_PATH_BYTES:
        return (
            f"its socket's path would be {length} bytes, Linux allows {_SOCKET_PATH_BYTES}",
            f"套接字路径将为 {length} 字节，Linux 最多允许 {_SOCKET_PATH_BYTES}",
        )
    return _absolute(value)


def _currency(value: str) -> Both | None:
    from agent.core.money.currencies import EXPONENT

    if value in EXPONENT:
        return None
    return "not an ISO 4217 currency", "不是 ISO 4217 货币代码"


def _account(value: str) -> Both | None:
    name = value.removeprefix("@")
    if name and not name.startswith(("@", "-")) and ":" not in name and " " not in name:
        return None
    return "must be a user, a numeric uid or @group", "应为用户名、数字 uid 或 @组名"


def _readable(value: str) -> Both | None:
    file = Path(value)
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            return "not a regular file", "不是普通文件"
        with file.open("rb"):
            return None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        return f"cannot be read: {reason}", f"无法读取：{reason}"


def _unique_names(merged: Mapping[str, Any]) -> Iterator[Trouble]:
    first: dict[str, int] = {}
    for number, uplink in enumerate(merged.get("uplink", ())):
        name = uplink.get("name")
        if name is None:
            continue
        if name == SINK:
            yield Trouble(
                f"uplink.{number}.name",
                shown("name", name),
                (
                    "this name belongs to the sink of outage drills, which leads nowhere",
                    "该名称专用于应急演练的接收端，不通向任何主机",
                ),
            )
        if name in first:
            other = first[name] + 1
            yield Trouble(
                f"uplink.{number}.name",
                shown("name", name),
                (
                    f"each uplink needs a name of its own, #{other} has this one",
                    f"每个 uplink 的名称必须唯一，#{other} 已使用该名称",
                ),
            )
        first.setdefault(name, number)


def _hooks(merged: Mapping[str, Any], defaults: Mapping[str, Any]) -> Iterator[Trouble]:
    """One [[hook]] per component, and keys only where its door has a use for them."""
    yield from _ordered(merged.get("hooks", {}), defaults, "hooks", "rest_s", "rest_max_s")
    seen: set[str] = set()
    for number, hook in enumerate(merged.get("hook", ())):
        component, door = hook.get("component"), hook.get("door", "pull")
        if component in seen:
            rule = "there is another [[hook]] for it", "该部件已有另一个 [[hook]]"
            yield Trouble(f"hook.{number}.component", shown("component", component), rule)
        seen.add(component)
        for key in ("stream", "push"):
            if hook.get(key) and door != key:
                rule = f'needs door = "{key}"', f'需要 door = "{key}"'
                yield Trouble(f"hook.{number}.{key}", shown(key, hook[key]), rule)


def _limits(merged: Mapping[str, Any]) -> Iterator[Trouble]:
    """One [[limit]] per currency and posting, and each must limit something."""
    seen: set[tuple[Any, Any]] = set()
    for number, limit in enumerate(merged.get("limit", ())):
        currency, posting = limit.get("currency"), limit.get("posting", "any")
        path = f"limit.{number}.currency"
        if currency is None:
            continue
        if (currency, posting) in seen:
            words = (
                f"there is another limit of {currency} for posting {posting}",
                f"{currency} 在 posting = {posting} 下已有另一条限额",
            )
            yield Trouble(path, shown("currency", currency), words)
        seen.add((currency, posting))
        if not limit.keys() - {"currency", "posting", "warn_percent"}:
            words = ("it limits nothing", "这一条没有限制任何内容")
            yield Trouble(path, shown("currency", currency), words)


def _remembered(merged: Mapping[str, Any], defaults: Mapping[str, Any]) -> Iterator[Trouble]:
    """A payment must not be forgotten here while its host may still be asked about it."""
    days = merged.get("store", {}).get("retention_days", defaults["store.retention_days"])
    for number, uplink in enumerate(merged.get("uplink", ())):
        window_s = uplink.get("key_window_s", defaults["uplink.key_window_s"])
        if window_s > days * 86_400:
            rule = (
                f"must not be longer than store.retention_days ({days})",
                f"不得长于 store.retention_days（{days} 天）",
            )
            yield Trouble(f"uplink.{number}.key_window_s", shown("key_window_s", window_s), rule)


def _ordered(
    table: Mapping[str, Any],
    defaults: Mapping[str, Any],
    path: str,
    lower: str,
    upper: str,
    *,
    strictly: bool = False,
) -> Iterator[Trouble]:
    prefix = path.split(".", maxsplit=1)[0]
    low = table.get(lower, defaults[f"{prefix}.{lower}"])
    high = table.get(upper, defaults[f"{prefix}.{upper}"])
    if low < high or (low == high and not strictly):
        return
    key, value = (lower, low) if lower in table else (upper, high)
    words = "less than" if strictly else "no more than"
    words_zh = "小于" if strictly else "不大于"
    yield Trouble(
        f"{path}.{key}",
        shown(key, value),
        (f"{lower} must be {words} {upper} ({high})", f"{lower} 必须{words_zh} {upper}（{high}）"),
    )


def _acquirer(table: Mapping[str, Any], path: str) -> Iterator[Trouble]:
    """[[uplink]] type = "iso8583": keys that mean nothing without another."""
    for file in ("ca_file", "cert_file", "key_file"):
        if table.get(file) and table.get("tls") is False:
            rule = "certificates need tls = true", "设置证书时必须使用 tls = true"
            yield Trouble(f"{path}.{file}", shown(file, table[file]), rule)
    echo = table.get("echo", "none")
    needed = {"app": ("echo_message",), "own_tid": ("echo_terminal_id", "echo_merchant_id")}
    for key in needed.get(echo, ()):
        if not table.get(key):
            rule = f'echo = "{echo}" needs {key}', f'echo = "{echo}" 时必须填写 {key}'
            yield Trouble(f"{path}.echo", shown("echo", echo), rule)
    for number, notation in table.get("fields", {}).items():
        try:
            form_of(notation)
        except ValueError:
            rule = "such a length is impossible", "不可能的长度"
            yield Trouble(f"{path}.fields", f"{number} = {shown('', notation)}", rule)
    if table.get("payload_begins", "mti") != "mti" and not (
        table.get("tpdu") or table.get("header")
    ):
        rule = (
            "tpdu or header must say how many bytes come before the message",
            "必须用 tpdu 或 header 说明报文之前有多少字节",
        )
        yield Trouble(f"{path}.payload_begins", shown("", table["payload_begins"]), rule)


def _ringing(printer: Mapping[str, Any]) -> Iterator[Trouble]:
    if not printer.get("push"):
        return
    device = printer.get("device", "")
    why: Both | None = None
    if device.startswith(("tcp://", "/dev/usb/lp")):
        why = (
            "needs a serial line: any other port, held open, keeps the payment app from printing",
            "需要一直占用端口，会妨碍收款应用打印；仅适用于串口",
        )
    elif printer.get("share", "exclusive") != "exclusive":
        why = "needs share = exclusive", "必须设置 share = exclusive"
    elif printer.get("dialect", "auto") not in {"auto", "escpos"}:
        why = "is for ESC/POS printers only", "仅适用于 ESC/POS 打印机"
    if why is not None:
        yield Trouble("printer.push", "push = true", why)


def _certificate_with_key(table: Mapping[str, Any], path: str) -> Iterator[Trouble]:
    if table.get("key_file") and not table.get("cert_file"):
        yield Trouble(
            f"{path}.key_file",
            shown("key_file", table["key_file"]),
            ("a key needs its certificate in cert_file", "设置私钥时必须在 cert_file 中给出证书"),
        )


_ALONE: Mapping[str, Callable[[str], Both | None]] = {
    "agent.state_dir": _absolute,
    "agent.run_dir": _run_dir,
    "uplink.url": _host_url,
    "check.currencies": _currency,
    "limit.currency": _currency,
    "telemetry.endpoints": _broker_url,
    "telemetry.proxy": proxy_url,
    "telemetry.proxy_password_file": _absolute,
    "connectivity.hosts": _probe_target,
    "connectivity.references": _probe_target,
    "system.storage_path": _absolute,
    "store.key_file": _absolute,
    "printer.device": _node_or_network,
    "keypad.device": _absolute,
    "keypad.pause_file": _absolute,
    "scanner.device": _node_or_usb,
    "software.manifest": _absolute,
    "component.path": _absolute,
    "hooks.directory": _absolute,
    "hooks.wrapped_keys": _absolute,
    "hook.push": _account,
    **{f"api.{role}": _account for role in ("submit", "read", "report", "technician")},
    **{f"{table}.{key}": _absolute for table in ("uplink", "telemetry") for key in _FILES},
}
#: Not the manifest: it comes and goes without anybody here, and nothing may stop payments for it.
_REFERENCES = frozenset({f"{table}.{key}" for table in ("uplink", "telemetry") for key in _FILES})
