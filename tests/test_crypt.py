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


def test_a_ring_others_can_read_or_that_is_no_ring_is_refused(tmp_path: Path) -> None:
    """The message says what to do; nothing is overwritten."""
    path = tmp_path / "keys"
    KeyFile(path).load()
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    with pytest.raises(OperatorError, match="chmod 0600"):
        KeyFile(path).load()
    path.chmod(0o600)
    for text in ("", "[]", "{}", '{"1":"zz"}', '{"1":"00"}', '{"x":"00"}'):
        path.write_text(text)
        with pytest.raises(OperatorError, match="not a key ring"):
            KeyFile(path).load()
        assert path.read_text() == text
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(OperatorError, match="cannot read"):
        KeyFile(tmp_path / "link").load()
    with pytest.raises(OperatorError, match="no key"):
        KeyRing({})


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
