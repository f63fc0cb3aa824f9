"""The audit of files: what somebody else could write, read or swap is found, with its remedy."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from agent import exposure
from agent.config import Config
from agent.exposure import Exposed, Places, audit, places
from agent.settings import load

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
STRANGER = 54_321


def terminal(home: Path) -> Places:
    """A terminal's files as they should be."""
    for name, mode in (("state", 0o700), ("run", 0o755), ("etc", 0o755), ("opt/agent", 0o755)):
        (home / name).mkdir(parents=True)
        (home / name).chmod(mode)
    for name, mode in (
        ("state/row.key", 0o600), ("state/journal.db", 0o600), ("etc/host.key", 0o600),
        ("etc/posagent.toml", 0o644), ("etc/ca.pem", 0o644), ("opt/agent/__init__.py", 0o644),
        ("opt/agent/core.py", 0o644),
    ):  # fmt: skip
        (home / name).write_text("x")
        (home / name).chmod(mode)
    (home / "etc/hooks.d").mkdir(mode=0o755)
    return Places(
        state=home / "state",
        run=home / "run",
        configuration=(home / "etc/ca.pem", home / "etc/posagent.toml"),
        secrets=(home / "etc/host.key", home / "state/row.key"),
        hooks=(home / "etc/hooks.d",),
        code=(home / "opt/agent",),
        user=os.geteuid(),
        group=os.getegid(),
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A place of our own, whatever the umask."""
    place = tmp_path / "terminal"
    place.mkdir()
    for folder in (place, *place.parents):
        if folder.stat().st_uid == os.geteuid() and not folder.stat().st_mode & stat.S_ISVTX:
            folder.chmod(folder.stat().st_mode & ~0o022)
    return place


def found(where: Places) -> set[tuple[str, str]]:
    """(kind, path) of what the audit says."""
    return {(one.what, one.path.name) for one in audit(where)}


def test_a_terminal_as_it_should_be(home: Path) -> None:
    """Nothing to say."""
    assert audit(terminal(home)) == ()


MODES: dict[str, tuple[str, int, str, str]] = {
    "code": ("opt/agent/core.py", 0o666, "code", "others can write it"),
    "directory of code": ("opt/agent", 0o777, "code", "others can write it"),
    "above the code": ("opt", 0o777, "code", "others can write it"),
    "configuration": ("etc/posagent.toml", 0o646, "configuration", "others can write it"),
    "certificates": ("etc/ca.pem", 0o666, "configuration", "others can write it"),
    "key of the line": ("etc/host.key", 0o644, "secret", "others can read it"),
    "row key": ("state/row.key", 0o604, "secret", "others can read it"),
    "state looked into": ("state", 0o755, "state", "others can look into it"),
    "state written": ("state", 0o702, "secret", "others can write it"),
    "journal": ("state/journal.db", 0o602, "state", "others can write it"),
    "run": ("run", 0o777, "run", "others can write it"),
    "hooks": ("etc/hooks.d", 0o757, "hooks", "others can write it"),
}


@pytest.mark.parametrize("case", MODES)
def test_a_mode_too_wide(home: Path, case: str) -> None:
    """Each is named with mode and remedy; the remedy, carried out, is the end of it."""
    name, mode, what, reason = MODES[case]
    where = terminal(home)
    (home / name).chmod(mode)
    heard = [one for one in audit(where) if one.path == home / name and one.what == what]
    assert [one for one in heard if one.reason[0].startswith(reason)], audit(where)
    assert f"mode {mode:04o}" in heard[0].sentence()
    assert f"权限 {mode:04o}" in heard[0].sentence("zh")
    while wrong := audit(where):
        before = wrong[0]
        subprocess.run(["sh", "-c", before.command], check=True)
        assert before not in audit(where)


def _to_stranger(path: Path) -> None:
    os.chown(path, STRANGER, STRANGER, follow_symlinks=False)


def _link(path: Path, target: Path, owner: int | None = None) -> None:
    path.unlink()
    path.symlink_to(target)
    if owner is not None:
        os.chown(path, owner, owner, follow_symlinks=False)


SWAPS: dict[str, Callable[[Path], tuple[str, str, str]]] = {}


def swap(name: str) -> Callable[[Callable[[Path], tuple[str, str, str]]], None]:
    """One way to put something else in a file's place."""

    def keep(act: Callable[[Path], tuple[str, str, str]]) -> None:
        SWAPS[name] = act

    return keep


@swap("a link of a stranger's")
def _(home: Path) -> tuple[str, str, str]:
    other = home / "etc/other.pem"
    other.write_text("x")
    _link(home / "etc/ca.pem", other, STRANGER)
    return "configuration", "ca.pem", "uid 54321"


@swap("a link to a stranger's file")
def _(home: Path) -> tuple[str, str, str]:
    other = home / "etc/other.pem"
    other.write_text("x")
    _to_stranger(other)
    _link(home / "etc/ca.pem", other)
    return "configuration", "other.pem", "uid 54321"


@swap("a link into a stranger's directory")
def _(home: Path) -> tuple[str, str, str]:
    place = home / "theirs"
    place.mkdir()
    (place / "toml").write_text("x")
    _to_stranger(place)
    _link(home / "etc/posagent.toml", place / "toml")
    return "configuration", "theirs", "uid 54321"


@swap("a link in the state")
def _(home: Path) -> tuple[str, str, str]:
    _link(home / "state/journal.db", home / "etc/ca.pem")
    return "state", "journal.db", "link to"


@swap("a second name of the row key")
def _(home: Path) -> tuple[str, str, str]:
    os.link(home / "state/row.key", home / "run/copy")
    return "state", "row.key", "2 names"


@swap("code of a stranger's")
def _(home: Path) -> tuple[str, str, str]:
    _to_stranger(home / "opt/agent/core.py")
    return "code", "core.py", "uid 54321"


@swap("a directory of hooks of a stranger's")
def _(home: Path) -> tuple[str, str, str]:
    _to_stranger(home / "etc/hooks.d")
    return "hooks", "hooks.d", "uid 54321"


@needs_root
@pytest.mark.parametrize("name", SWAPS)
def test_something_else_in_its_place(home: Path, name: str) -> None:
    """Owners, links and second names show."""
    where = terminal(home)
    what, file, reason = SWAPS[name](home)
    heard = [one for one in audit(where) if (one.what, one.path.name) == (what, file)]
    assert [one for one in heard if reason in one.reason[0]], audit(where)


@needs_root
def test_the_agents_own_user_may_not_change_its_code_on_a_device(home: Path) -> None:
    """Shipped code of the agent's user is found; in a developer's own folder it is not."""
    where = terminal(home)
    for path in (home / "opt", *(home / "opt").rglob("*")):
        os.chown(path, STRANGER, STRANGER)
    own = {"user": STRANGER, "group": STRANGER}
    others = {
        name: getattr(where, name)
        for name in ("state", "run", "configuration", "secrets", "hooks", "code")
    }
    assert not audit(Places(**others, **own))
    shipped = audit(Places(**others, **own, shipped=True))
    assert {one.path.name for one in shipped} >= {"opt", "agent", "core.py"}
    assert all("own user" in one.reason[0] for one in shipped)
    assert {one.command.split()[0] for one in shipped} == {"chown"}


def test_a_key_for_our_group_is_no_finding(home: Path) -> None:
    """root:posagent 0640 is how images hand keys over."""
    where = terminal(home)
    (home / "etc/host.key").chmod(0o640)
    assert audit(where) == ()


def test_what_is_not_there_is_no_finding(tmp_path: Path) -> None:
    """Before the first start there is nothing to look at."""
    nowhere = tmp_path / "none"
    where = Places(state=nowhere, run=nowhere, secrets=(nowhere / "k",), code=(nowhere / "c",))
    assert [one for one in audit(where) if nowhere in (one.path, *one.path.parents)] == []


def test_a_flood_is_cut(home: Path) -> None:
    """A thousand wrong files are one mistake."""
    where = terminal(home)
    for number in range(2 * exposure.MOST):
        file = home / f"opt/agent/m{number:03}.py"
        file.write_text("")
        file.chmod(0o666)
    assert len(audit(where)) == exposure.MOST


def test_places_come_from_the_configuration(tmp_path: Path) -> None:
    """Certificates, keys and hooks of any section are known; the payment app's files are not."""
    file = tmp_path / "posagent.toml"
    for name in ("ca.pem", "c.pem", "k.pem"):
        (tmp_path / name).write_text("x")
    file.write_text(
        f'[agent]\nstate_dir = "{tmp_path}/state"\nrun_dir = "{tmp_path}/run"\n'
        f'[[uplink]]\nname = "host"\nurl = "https://host/p"\nca_file = "{tmp_path}/ca.pem"\n'
        f'cert_file = "{tmp_path}/c.pem"\nkey_file = "{tmp_path}/k.pem"\n'
        f'[payment_app]\nname = "till"\npid_file = "{tmp_path}/till.pid"\n'
        f'[hooks]\ndirectory = "{tmp_path}/hooks.d"\n'
    )
    loaded = load(file, references=False)
    where = places(loaded.config, loaded.files, daemon=True)
    assert {path.name for path in where.configuration} == {"posagent.toml", "ca.pem", "c.pem"}
    assert {path.name for path in where.secrets} == {"k.pem", "row.key", "payload.keys"}
    assert [path.name for path in where.hooks] == ["hooks.d"]
    assert where.user == os.geteuid()
    assert not where.shipped


def test_defaults_have_places() -> None:
    """An unconfigured machine is looked at as well."""
    where = places(Config(), daemon=True)
    assert where.state == Path("/var/lib/posagent")
    assert [path.name for path in where.code][-1] == "agent"


def test_sentences_name_the_remedy() -> None:
    """Both languages end with a command that can be copied."""
    one = Exposed(
        path=Path("/a b"), what="code", reason=("it is so", "如此"), command="chmod go-w '/a b'"
    )
    assert one.sentence() == "/a b: it is so; run: chmod go-w '/a b'"
    assert one.sentence("zh").endswith("请执行：chmod go-w '/a b'")
