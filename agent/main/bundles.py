"""What a support bundle tells of this machine beside what the actions know."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import agent.logs
from agent.bundles import Shelf, Surroundings
from agent.config import Config

FOLDER = "bundles"
#: Names of settings that name a file with a secret in it.
_SECRET = ("key", "password", "token", "secret", "psk", "username", "passphrase", "wrapped_keys")


def surroundings(
    config: Config, state_dir: Path, source: Path | None, folder: Path | None = None
) -> Surroundings:
    """For bundles kept in `folder`; None: beside the journal."""
    # Asked for once a month at most.
    import platform

    from agent.settings.schema import effective

    lines: list[str] = []
    last = ""
    for table, key, value in effective(config):
        if table != last:
            lines += ["", table]
            last = table
        lines.append(f"{key} = {value}")
    return Surroundings(
        shelf=Shelf(folder or state_dir / FOLDER, config.bundle.keep),
        max_bytes=config.bundle.max_kb * 1000,
        log_lines=config.bundle.log_lines,
        root="" if config.system.root == "/" else config.system.root,
        unit=config.bundle.unit,
        folders=[str(state_dir), config.agent.run_dir],
        secret_files=[str(file) for file in secret_files(config, state_dir)],
        config=lines,
        log=agent.logs.recent(),
        facts={
            "python": sys.version.split()[0],
            "system": platform.platform(),
            "machine": platform.machine(),
            "config_file": str(source or ""),
            "power_cut_selftest": _power_cut(state_dir),
        },
    )


def _power_cut(state_dir: Path) -> str:
    """What the self-test of the flash found, if a person has made it."""
    from agent.wire import selftest

    try:
        with (state_dir / selftest.RESULT).open("rb") as file:
            found = selftest.result(file.read(selftest.MAX_FILE_BYTES))
    except FileNotFoundError:
        return "not made"
    except (OSError, ValueError):
        return "unreadable"
    return f"{found.verdict}: {found.bad} of {len(found.rounds)} power cuts lost something"


def secret_files(config: Config, state_dir: Path) -> Sequence[Path]:
    """Every file whose content must never leave this terminal."""
    named = {Path(file) for file in _named(config)}
    own = {state_dir / "row.key", state_dir / "payload.keys"}
    own |= {*state_dir.glob("*.key"), *state_dir.glob("*.keys"), *state_dir.glob("*.token")}
    return sorted(named | own)


def _named(plain: object, key: str = "") -> Iterator[str]:
    match plain:
        case dict():
            for name, value in plain.items():
                yield from _named(value, str(name))
        case tuple():
            for value in plain:
                yield from _named(value, key)
        case str():
            if plain.startswith("/") and any(word in key for word in _SECRET):
                yield plain
        case _:
            for name in getattr(plain, "__struct_fields__", ()):
                yield from _named(getattr(plain, name), name)
