"""Signed manifests: whose they are, which one is in force, and that the last good one stays."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.config import Software
from agent.core.moment import BUILD_FLOOR_MS, Moment
from agent.core.software.manifest import MAX_BYTES, Refusal, Standing, Terminal
from agent.core.software.wanted import Manifest
from agent.crypt import public_of, sign, signed_by
from agent.watch.software.manifests import KEPT, Manifests, Opener
from agent.wire.manifest import manifest_from
from agent.wire.signed import Document, envelope, signed_bytes

SEED = bytes(range(32))
KEYS = {"k1": base64.b64encode(public_of(SEED)).decode()}
HEX = {"k1": public_of(SEED).hex()}
HERE = Terminal(device_id="d1", model="", tenant="t", groups=())


def payload(sequence: int = 1, **more: Any) -> bytes:
    whole = {"format": 1, "sequence": sequence,
             "components": [{"component": "agent", "required": "2"}], **more}  # fmt: skip
    return json.dumps(whole).encode()


def signed(content: bytes, key_id: str = "k1", seed: bytes = SEED) -> bytes:
    return envelope(
        Document.MANIFEST, key_id, sign(seed, signed_bytes(Document.MANIFEST, content)), content
    )


def manifests(tmp_path: Path, *, trusted: bool = True, **config: Any) -> Manifests:
    now = Moment(wall_ms=BUILD_FLOOR_MS + 10**9, boot_ms=1, boot_id="", trusted=trusted)
    return Manifests(
        Software(**({"keys": KEYS} | config)),
        state_dir=tmp_path,
        terminal=HERE,
        known=frozenset({"agent"}),
        now=lambda: now,
    )


@pytest.mark.parametrize("keys", [HEX, {"k1": HEX["k1"].upper()}, KEYS])
def test_a_key_is_told_in_hexadecimal_or_as_before_in_base64(keys: dict[str, str]) -> None:
    """The same key, whichever way the configuration has it; another one is another."""
    assert not isinstance(Opener(Software(keys=keys)).opened(signed(payload())), Refusal)
    other = signed(payload(), seed=bytes(32))
    assert isinstance(Opener(Software(keys=keys)).opened(other), Refusal)


def test_a_signature_is_of_these_bytes_by_this_key() -> None:
    """RFC 8032, 7.1, test 2; one bit of anything else and it is none."""
    seed = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    public = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    assert public_of(seed) == public
    made = sign(seed, b"\x72")
    assert made.hex().startswith("92a009a9f0d4cab8720e820b5f642540")
    assert signed_by(public, b"\x72", made)
    assert not signed_by(public, b"\x73", made)
    assert not signed_by(public, b"\x72", bytes([made[0] ^ 1]) + made[1:])
    assert not signed_by(public, b"\x72", made[:-1])
    assert not signed_by(bytes(32), b"\x72", made)
    assert not signed_by(b"", b"\x72", made)
    with pytest.raises(ValueError, match="32 bytes"):
        sign(b"short", b"")


def test_what_was_signed_for_something_else_is_no_manifest(tmp_path: Path) -> None:
    """A command signed with the same key does not pass for a manifest."""
    content = payload()
    given = envelope(Document.MANIFEST, "k1", sign(SEED, content), content)
    assert manifests(tmp_path).offer(given).standing is Standing.BAD_SIGNATURE


def test_the_last_good_one_stays_over_restarts(tmp_path: Path) -> None:
    """Byte for byte as it came; only while its key still counts and it is this terminal's."""
    first = manifests(tmp_path)
    assert first.look().standing is Standing.NONE
    assert first.offer(signed(payload(3))).standing is Standing.IN_FORCE
    again = manifests(tmp_path)
    assert again.look().in_force == first.look().in_force
    assert again.offer(signed(payload(2))).standing is Standing.OLDER
    refused = again.offer(b"garbage")
    assert (refused.standing, refused.in_force and refused.in_force.sequence) == ("garbage", 3)
    assert (tmp_path / KEPT).read_bytes() == signed(payload(3))
    assert manifests(tmp_path, keys={"k2": KEYS["k1"]}).look().in_force is None
    (tmp_path / KEPT).write_bytes(signed(payload(9, address={"devices": ["d2"]})))
    assert manifests(tmp_path).look().in_force is None


def test_one_that_cannot_be_kept_is_not_in_force(tmp_path: Path) -> None:
    """Else it would be another one after the next start."""
    one = manifests(tmp_path / "gone")
    assert one.offer(signed(payload())).standing is Standing.UNREADABLE
    assert one.look().in_force is None


def test_unsigned_only_where_that_is_allowed(tmp_path: Path) -> None:
    """Keys make signatures necessary; `require_signature` says otherwise, either way."""
    for config, standing in (
        ({}, Standing.UNSIGNED),
        ({"require_signature": False}, Standing.IN_FORCE),
        ({"keys": {}}, Standing.IN_FORCE),
        ({"keys": {}, "require_signature": True}, Standing.UNSIGNED),
    ):
        folder = tmp_path / "-".join(config) / "x"
        folder.mkdir(parents=True)
        place = folder / "m.json"
        place.write_bytes(payload())
        assert manifests(folder, manifest=str(place), **config).look().standing is standing
    plain = tmp_path / "plain.json"
    plain.write_bytes(b'{"pin": {"required": "1", "installed_by": "dpkg"}}')
    assert manifests(tmp_path, manifest=str(plain)).look().standing is Standing.UNSIGNED
    unkeyed = manifests(tmp_path, manifest=str(plain), keys={})
    assert unkeyed.look().standing is Standing.IN_FORCE


@pytest.mark.parametrize(
    "config", [{}, {"keys": {}}, {"keys": {}, "require_signature": False}], ids=str
)
def test_what_comes_over_the_network_is_never_believed_unsigned(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    """Whatever the configuration says of files: only its own signature, or that of the statement
    it stood in."""
    one = manifests(tmp_path, **config)
    assert one.offer(payload()).standing is Standing.UNSIGNED
    assert one.offer(b'{"pin": {"required": "1"}}').standing is Standing.GARBAGE
    assert one.look().in_force is None
    vouched = one.offer(payload(), "fleet-1")
    assert vouched.in_force is not None
    assert (vouched.standing, vouched.in_force.signed_by) == (Standing.IN_FORCE, "fleet-1")
    assert one.look().in_force == vouched.in_force
    assert not (tmp_path / KEPT).exists(), "whoever vouches says so again after the next start"
    broken = signed(payload(5)).replace(b'"signature":"', b'"signature":"AA')
    assert one.offer(broken, "fleet-1").standing in (
        Standing.BAD_SIGNATURE,
        Standing.GARBAGE,
        Standing.UNKNOWN_KEY,
    )
    assert one.look().standing is not Standing.IN_FORCE


def test_one_in_force_may_expire(tmp_path: Path) -> None:
    """It is then said to have; so it is while the clock cannot be believed."""
    ending = payload(4, expires="2026-11-02T00:00:00+08:00")
    (tmp_path / KEPT).write_bytes(signed(ending))
    old = manifests(tmp_path).look()
    assert (old.standing, old.in_force and old.in_force.sequence) == ("expired", 4)
    lost = manifests(tmp_path, trusted=False).look()
    assert (lost.standing, lost.in_force and lost.in_force.sequence) == ("clock_unknown", 4)


@pytest.mark.parametrize(
    "changed",
    [
        {"format": 2}, {"sequence": 0}, {"sequence": True}, {"components": []}, {"more": 1},
        {"components": [{"component": "a"}]},
        {"components": [{"component": "a", "required": "1", "wanted": "absent"}]},
        {"components": [{"component": "a", "required": "1"}, {"component": "a", "min": "1"}]},
        {"components": [{"component": "../a", "required": "1"}]},
        {"components": [{"component": "a", "min": "1", "update": {
            "update": "u", "file": "/f", "sha256": "0" * 64, "size_bytes": 1}}]},
        {"components": [{"component": "a", "required": "1", "update": {
            "update": "u", "file": "f", "sha256": "0" * 64, "size_bytes": 1}}]},
        {"expires": "2026-11-02T00:00:00"}, {"expires": "9999-99-99T00:00:00Z"},
    ],
)  # fmt: skip
def test_what_is_signed_but_no_manifest(tmp_path: Path, changed: dict[str, Any]) -> None:
    """A signature does not make sense of it."""
    assert manifests(tmp_path).offer(signed(payload(**changed))).standing is Standing.GARBAGE


def test_everything_in_it_is_understood() -> None:
    """One with all there is."""
    update = {"update": "u-1", "file": "/u", "sha256": "a" * 64, "size_bytes": 5, "package": "p"}
    content = payload(
        address={"tenant": "t", "devices": ["d"], "models": ["m"], "groups": ["g"]},
        valid_from="2026-11-02T00:00:00Z",
        expires="2026-11-03T00:00:00Z",
        components=[
            {"component": "a", "required": "2", "channel": "test", "scheme": "date",
             "installed_by": "file", "path": "/v", "field": "k", "update": update},
            {"component": "a", "min": "1", "max": "3", "optional": True},
            {"component": "b", "wanted": "absent"},
        ],
    )  # fmt: skip
    found = manifest_from(content, "k1")
    assert (found.devices, found.models, found.groups) == (("d",), ("m",), ("g",))
    assert (found.expires_ms or 0) - (found.valid_from_ms or 0) == 86_400_000
    assert [one.asked for one in found.wanted] == ["2", ">= 1 <= 3", "absent"]
    offer = found.wanted[0].offer
    assert offer is not None
    assert (offer.version, offer.package) == ("2", "p")
    assert len(found.for_channel("")) == 2


def test_oversized_is_not_even_parsed(tmp_path: Path) -> None:
    """In a file or in a message."""
    one = manifests(tmp_path, manifest=str(tmp_path / "m.json"))
    (tmp_path / "m.json").write_bytes(b" " * (MAX_BYTES + 1))
    assert one.look().standing is Standing.OVERSIZED
    assert one.offer(b" " * (MAX_BYTES + 1)).standing is Standing.OVERSIZED


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["payload", "signature", "key_id", "manifest", "sequence", "components",
                         "format", "required", "a"]),
        inner, max_size=5,
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(given=st.one_of(st.binary(max_size=200), JSON.map(lambda one: json.dumps(one).encode())))
def test_any_bytes_are_refused_in_peace(given: bytes) -> None:
    """Nothing but a manifest signed here ever comes out of the strict one, and nothing raises."""
    assert isinstance(Opener(Software(keys=KEYS)).opened(given), Refusal)
    assert isinstance(Opener(Software()).opened(given), Refusal | Manifest)
    assert isinstance(Opener(Software(keys=KEYS)).opened(signed(given)), Refusal)


@pytest.mark.parametrize("how", ["pipe", "zero"])
def test_a_manifest_that_is_no_file_is_not_waited_for(tmp_path: Path, how: str) -> None:
    """Whoever may write there puts a pipe or a device without end in its place."""
    place = tmp_path / "m.json"
    if how == "pipe":
        os.mkfifo(place)
    else:
        place.symlink_to("/dev/zero")
    found = manifests(tmp_path, manifest=str(place)).look()
    assert (found.standing, found.in_force) == (Standing.UNREADABLE, None)
    assert "not a regular file" in found.what


@pytest.mark.parametrize(
    "names", [[f"c{number}" for number in range(257)], ["a" * 65], ["a\nevent=forged"], ["../a"]]
)
def test_an_unsigned_manifest_is_bounded_as_a_signed_one_is(
    tmp_path: Path, names: list[str]
) -> None:
    """So many components, names of one word: they stand in logs and go to the fleet."""
    entry = {"required": "1", "installed_by": "dpkg"}
    given = json.dumps(dict.fromkeys(names, entry)).encode()
    place = tmp_path / "m.json"
    place.write_bytes(given)
    assert manifests(tmp_path, manifest=str(place), keys={}).look().standing is Standing.GARBAGE


def test_updates_of_an_unsigned_manifest_others_may_write_are_not_believed(tmp_path: Path) -> None:
    """It names files that are installed with the rights of the system."""
    place = tmp_path / "m.json"
    offering = {"component": "agent", "required": "2", "update": {
        "update": "u", "file": "/tmp/x", "sha256": "0" * 64, "size_bytes": 1}}  # fmt: skip
    for mode, components, standing in (
        (0o644, [offering], Standing.IN_FORCE),
        (0o666, [offering], Standing.UNSIGNED),
        (0o666, [{"component": "agent", "required": "2"}], Standing.IN_FORCE),
    ):
        place.write_bytes(payload(1, components=components))
        place.chmod(mode)
        (tmp_path / KEPT).unlink(missing_ok=True)
        found = manifests(tmp_path, manifest=str(place), keys={}).look()
        assert found.standing is standing, (oct(mode), found)
    place.write_bytes(signed(payload(1, components=[offering])))
    assert manifests(tmp_path, manifest=str(place)).look().standing is Standing.IN_FORCE
