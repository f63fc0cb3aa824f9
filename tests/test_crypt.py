"""Sealing: what is bound stays bound, what is altered is seen, keys can be turned over."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.crypt import KeyFile, KeyRing, SealedKey, TamperedError, seal, unseal
from agent.errors import HardwareError, OperatorError

ROW = b"db|7|1"


def test_a_payload_opens_only_with_its_key_and_for_its_row() -> None:
    """Another key, another row, one flipped bit: refused."""
    key = b"k" * 32
    sealed = seal(key, b"payload", ROW)
    assert unseal(key, sealed, ROW) == b"payload"
    for wrong in (
        (b"j" * 32, sealed, ROW),
        (key, sealed, b"db|8|1"),
        (key, sealed[:-1] + bytes([sealed[-1] ^ 1]), ROW),
        (key, sealed[:10], ROW),
    ):
        with pytest.raises(TamperedError):
            unseal(*wrong)


def test_the_same_payload_never_looks_the_same_twice() -> None:
    """Nonces are drawn, not counted."""
    assert len({seal(b"k" * 32, b"payload", ROW) for _ in range(1000)}) == 1000


def test_every_record_has_a_key_of_its_own_and_rotation_wraps_only_that(tmp_path: Path) -> None:
    """New records use the newest key; old ones are wrapped again without touching the payload."""
    file = KeyFile(tmp_path / "keys")
    ring, made = file.load()
    assert made
    one, wrapped = ring.fresh(ROW)
    two, _ = ring.fresh(ROW)
    assert one != two
    turned = file.rotate(ring)
    assert turned.ids == {1, 2}
    again = turned.rewrap(wrapped, ROW)
    assert (wrapped.key_id, again.key_id) == (1, 2)
    assert turned.unwrap(again, ROW) == one
    left = file.forget(turned, 1)
    assert left.unwrap(again, ROW) == one
    with pytest.raises(OperatorError, match="key 1 is not"):
        left.unwrap(wrapped, ROW)
    with pytest.raises(OperatorError, match="in use"):
        file.forget(left, 2)
    assert KeyFile(tmp_path / "keys").load()[0].ids == {2}


def test_a_wrapped_key_cannot_be_moved_to_another_key_id() -> None:
    """The number is bound too."""
    ring = KeyRing({1: b"a" * 32, 2: b"a" * 32})
    _, wrapped = ring.fresh(ROW)
    with pytest.raises(TamperedError):
        ring.unwrap(SealedKey(key_id=1, wrapped=wrapped.wrapped), ROW)


def test_a_ring_others_can_read_is_refused(tmp_path: Path) -> None:
    """The message says what to do; links and directories are no key files either."""
    path = tmp_path / "keys"
    KeyFile(path).load()
    for copy in KeyFile(path).copies:
        assert copy.stat().st_mode & 0o777 == 0o600
        copy.chmod(0o640)
        with pytest.raises(OperatorError, match="chmod 0600"):
            KeyFile(path).load()
        copy.chmod(0o600)
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(OperatorError, match="cannot read"):
        KeyFile(tmp_path / "link").load()
    (tmp_path / "folder").mkdir(mode=0o700)
    with pytest.raises(OperatorError, match="not a file"):
        KeyFile(tmp_path / "folder").load()
    with pytest.raises(OperatorError, match="no key"):
        KeyRing({})


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"1":"zz"}', '{"1":"00"}', '{"x":"00"}', "flip"])
def test_one_copy_may_be_damaged_or_gone(tmp_path: Path, text: str) -> None:
    """The other one has the ring; the damaged one is kept, and written anew beside it."""
    path = tmp_path / "keys"
    ring, _ = KeyFile(path).load()
    whole = path.read_text()
    digit = whole.index('": "') + 4
    flipped = whole[:digit] + ("0" if whole[digit] != "0" else "1") + whole[digit + 1 :]
    for copy in KeyFile(path).copies:
        bad = flipped if text == "flip" else text
        copy.write_text(bad)
        again, made = KeyFile(path).load()
        assert (again.keys, made) == (ring.keys, False)
        assert copy.read_text() == whole
        assert copy.with_name(f"{copy.name}.bad1").read_text() == bad
        copy.unlink()
        assert KeyFile(path).load()[0].keys == ring.keys
        assert copy.read_text() == whole


def test_no_power_cut_between_the_copies_loses_a_key(tmp_path: Path) -> None:
    """A ring that is in one copy only, old or new, adds to the other."""
    file = KeyFile(tmp_path / "keys")
    ring, _ = file.load()
    before = file.path.read_bytes()
    turned = file.rotate(ring)
    for copy in file.copies:
        copy.write_bytes(before)
        assert file.load()[0].keys == turned.keys
    assert file.copies[0].read_bytes() == file.copies[1].read_bytes() != before


def test_a_full_disk_hides_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy that cannot be written again is not needed for reading."""
    file = KeyFile(tmp_path / "keys")
    ring, _ = file.load()
    file.copies[1].unlink()

    def full(_self: KeyFile, _keys: object) -> KeyRing:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(KeyFile, "_save", full)
    assert file.load()[0].keys == ring.keys


def test_a_ring_put_back_does_not_hide_a_newer_key(tmp_path: Path) -> None:
    """Keys lost, a new one made with a number of its own, the old ones put back: all are there."""
    file = KeyFile(tmp_path / "keys")
    old, _ = file.load()
    saved = file.path.read_bytes()
    for copy in file.copies:
        copy.unlink()
    new, made = file.load(after=1)
    assert (made, new.ids) == (True, {2})
    file.path.write_bytes(saved)
    assert file.load()[0].keys == {**old.keys, **new.keys}


def test_firmware_may_keep_the_ring_wrapped(tmp_path: Path) -> None:
    """The hook opens it; the agent neither rotates nor writes such a ring."""
    path = tmp_path / "keys"
    ring, _ = KeyFile(path).load()
    path.write_bytes(path.read_bytes()[::-1])
    file = KeyFile(path, unwrap=lambda raw: raw[::-1])
    assert file.load()[0].ids == ring.ids
    with pytest.raises(OperatorError, match="firmware"):
        file.rotate(ring)

    def broken(_raw: bytes) -> bytes:
        raise OSError("no answer from the keystore")

    with pytest.raises(HardwareError, match="no answer"):
        KeyFile(path, unwrap=broken).load()
