"""What cannot be right about a list that is fetched: `pull` of a [[reconcile]] and its keys.

Called by `agent.settings.rules` with the merged tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from agent.settings.problems import Both

#: Key, what was found, the rule.
Found = tuple[str, Any, Both]

_HOOK = re.compile(r"hook:[a-z][a-z0-9_]{0,39}")
_PLACES = re.compile(r"\{(?:date|yyyymmdd)\}")
_FILES = ("ca_file", "cert_file", "key_file", "authorization_file")


def pull_rules(merged: Mapping[str, Any]) -> Iterator[Found]:
    """The rules that do not hold."""
    for number, table in enumerate(merged.get("reconcile", ())):
        for key, found, rule in _of(table):
            yield f"reconcile.{number}.{key}", found, rule


def _of(table: Mapping[str, Any]) -> Iterator[Found]:
    pull = str(table.get("pull", ""))
    if pull and (rule := _source(pull)) is not None:
        yield "pull", pull, rule
    for key in _FILES:
        if not (file := table.get(key)):
            continue
        if not str(file).startswith("/"):
            yield key, file, ("must be an absolute path", "必须是绝对路径")
        elif not pull.startswith("http" if key == "authorization_file" else "https:"):
            yield key, file, ('needs pull = "https://…"', '须配合 pull = "https://…"')
    if table.get("key_file") and not table.get("cert_file"):
        yield "key_file", table["key_file"], ("needs cert_file", "须同时设置 cert_file")


def _source(pull: str) -> Both | None:
    if pull.startswith("hook:"):
        if _HOOK.fullmatch(pull):
            return None
        rule = "hook:NAME, with NAME of small letters, digits and _; it runs list.NAME"
        return rule, "应为 hook:NAME，NAME 为小写字母、数字和 _；运行的是 list.NAME"
    try:
        url = urlsplit(pull)
        host, port = url.hostname, url.port
    except ValueError as error:
        return f"not a valid address: {error}", f"地址无效：{error}"
    if url.scheme not in ("http", "https") or not host or port == 0:
        return "an https:// address or hook:NAME", "应为 https:// 地址或 hook:NAME"
    if not re.fullmatch("[!-~]+", pull) or url.fragment:
        return (
            "an address has no spaces, no # and only ASCII",
            "地址只能包含 ASCII 字符，且不能有空格和 #",
        )
    if url.username is not None or url.password is not None:
        rule = "an address must not hold a user or password; use authorization_file"
        return rule, "地址中不得包含用户名或密码，请用 authorization_file"
    if "{" in url.netloc or re.search(r"[{}]", _PLACES.sub("", pull)):
        return "{date} and {yyyymmdd} after the host, and no other braces", (
            "主机名之后可用 {date} 和 {yyyymmdd}，不能有其他花括号"
        )
    from agent.settings.rules import loopback  # it calls us

    if url.scheme == "http" and not loopback(host):
        return (
            "http:// only to this machine (localhost, 127.0.0.0/8, ::1); use https://",
            "http:// 只能用于本机（localhost、127.0.0.0/8、::1）；请使用 https://",
        )
    return None
