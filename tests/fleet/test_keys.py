"""A signing key is its owner's alone, and no number is used twice."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from agent.cli.app import main
from agent.crypt import signed_by
from agent.errors import OperatorError
from agent.fleet import keys


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ops.key"


def test_a_key_signs_and_is_private(path: Path) -> None:
    """Mode 0600, never over another file; the public half verifies."""
    public = keys.new(path, "ops-1").public
    assert path.stat().st_mode & 0o777 == 0o600
    assert signed_by(public, b"text", keys.opened(path).sign(b"text"))
    with pytest.raises(OperatorError):
        keys.new(path, "ops-1")


def test_a_key_others_can_read_is_refused(path: Path) -> None:
    """Whoever read it could sign."""
    keys.new(path, "ops-1")
    path.chmod(0o640)
    with pytest.raises(OperatorError, match="others can read"):
        keys.opened(path)


def test_a_passphrase_protects_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the file alone nor a wrong passphrase signs."""
    monkeypatch.setattr(keys, "OPS", 1)
    monkeypatch.setattr(keys, "MEMORY_BYTES", 65_536)
    public = keys.new(path, "ops-1", b"right horse").public
    assert "seed" not in json.loads(path.read_text())
    with pytest.raises(OperatorError, match="passphrase"):
        keys.opened(path)
    with pytest.raises(OperatorError, match="wrong passphrase"):
        keys.opened(path, b"wrong horse")
    assert keys.opened(path, b"right horse").public == public == keys.show(path).public


def test_numbers_grow_over_clocks_and_processes(path: Path) -> None:
    """The time, or one more than the last; what was handed out is on disk before."""
    keys.new(path, "ops-1")
    assert keys.opened(path).numbers(3, 1_000) == 1_000
    assert keys.opened(path).numbers(1, 500) == 1_003  # the clock was set back
    assert keys.show(path).last_seq == 1_003
    with ThreadPoolExecutor(4) as pool:
        handed = list(pool.map(lambda _: keys.opened(path).numbers(2, 1), range(40)))
    assert len({first + n for first in handed for n in (0, 1)}) == 80


@pytest.mark.parametrize("spoilt", [b"", b"x", b"-1", b"99999999999999999", b"\xff"])
def test_numbers_that_cannot_be_read_stop_everything(path: Path, spoilt: bytes) -> None:
    """Beginning anew would make every terminal refuse this key."""
    keys.new(path, "ops-1")
    path.with_name("ops.key.seq").write_bytes(spoilt)
    with pytest.raises(OperatorError):
        keys.opened(path).numbers(1, 1)


BAD: list[dict[str, Any]] = [
    {"key_id": "../x"}, {"seed": "AAAA"}, {"seed": "*"}, {"public_key": "AAAA"},
    {"posagent_signing_key": 2}, {"sealed": "AAAA"},
    {"sealed": "AAAA", "kdf": {"argon2id": [1, 1 << 40], "salt": "A" * 22 + "=="}},
]  # fmt: skip


@pytest.mark.parametrize("wrong", BAD)
def test_a_spoilt_file_is_refused(path: Path, wrong: dict[str, Any]) -> None:
    """With one sentence, and without the memory it asks for."""
    keys.new(path, "ops-1")
    path.write_text(json.dumps(json.loads(path.read_text()) | wrong))
    with pytest.raises(OperatorError):
        keys.opened(path, b"phrase")


def test_new_and_show_tell_the_configuration(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The public half in the form terminals are configured with; never the secret one."""
    assert main(["fleet", "key", "new", str(path), "--key-id", "ops-1"]) == 0
    made = capsys.readouterr().out
    assert f'public_key = "{keys.show(path).public.hex()}"' in made
    assert main(["fleet", "key", "show", str(path), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown == {
        "key_id": "ops-1", "public_key": keys.show(path).public.hex(), "passphrase": False,
        "last_seq": 0,
    }  # fmt: skip
    secret = json.loads(path.read_text())["seed"]
    assert secret not in made
    short = tmp_path / "short"
    short.write_text("four\n")
    again = ["fleet", "key", "new", str(tmp_path / "b.key"), "--key-id", "b"]
    assert main([*again, "--passphrase", str(short)]) == 2
    assert not (tmp_path / "b.key").exists()
