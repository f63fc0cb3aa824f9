"""What the tables about software, settings and the payment app must keep, and what looks forgotten.

A file that is not there yet is no mistake: a manifest may come later. It is worth a word when
somebody checks the configuration, though, before he leaves the terminal. Called by
`agent.settings.rules` with the merged configuration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from agent.settings.problems import Both

#: Key, what was found, the rule.
Found = tuple[str, Any, Both]

_FINDERS = ("process", "cmdline", "package", "pid_file", "unit")
_GLOB = frozenset("*?[")


def terminal_rules(merged: Mapping[str, Any]) -> Iterator[Found]:
    """The rules that do not hold."""
    for number, component in enumerate(merged.get("component", ())):
        source = component.get("installed_by")
        if source in ("file", "hash") and not component.get("path"):
            yield (
                f"component.{number}.path",
                "",
                (
                    f'installed_by = "{source}" needs the file\'s path',
                    f'installed_by = "{source}" 必须填写文件路径',
                ),
            )


def terminal_warnings(
    merged: Mapping[str, Any], interfaces: Path = Path("/sys/class/net")
) -> Iterator[Both]:
    """What may be right and often is not."""
    for where, path in _files(merged):
        if path and not Path(path).exists():
            yield (f"{where}: {path} is not there (yet)", f"{where}：{path} 目前不存在")
    app = merged.get("payment_app", {})
    told = any(one.get("component") == "payment_app" for one in merged.get("hook", ()))
    found = told or any(app.get(key) for key in _FINDERS)
    if app.get("restart") and not (found or app.get("heartbeat_s")):
        yield (
            "[payment_app] restart: no effect, nothing finds the app; set process or pid_file",
            "[payment_app] restart：不起作用，无法找到该应用；请设置 process 或 pid_file",
        )
    if not interfaces.is_dir():
        return  # a container or Android: which interfaces there are is not told here
    for channel in merged.get("channel", ()):
        name = channel.get("interface", "")
        if name and not _GLOB & set(name) and not (interfaces / name).exists():
            where = f"[[channel]] {channel['name']} interface"
            yield (
                f"{where}: there is no {name} at present",
                f"{where}：目前没有网络接口 {name}",
            )


def _files(merged: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "[software] manifest", merged.get("software", {}).get("manifest", "")
    yield "[configuration] profile", merged.get("configuration", {}).get("profile", "")
    for number, entry in enumerate(merged.get("settings_file", ()), 1):
        yield f"[[settings_file]] #{number} path", entry.get("path", "")
    yield "[cellular] device", merged.get("cellular", {}).get("device", "")
