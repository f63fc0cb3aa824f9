"""The envelope of signed documents: what goes in comes out, and nothing else passes for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.wire.signed import (
    Document,
    DocumentError,
    Envelope,
    envelope,
    envelope_in,
    is_envelope,
    parsed,
    signed_bytes,
)

GOOD = {"manifest": 1, "key_id": "k1", "signature": "AAAA", "payload": "e30="}


@given(payload=st.binary(max_size=200), signature=st.binary(max_size=64))
def test_an_envelope_gives_back_the_very_bytes(payload: bytes, signature: bytes) -> None:
    """Byte for byte, whatever was signed."""
    whole = parsed(envelope(Document.PROFILE, "k1", signature, payload))
    assert is_envelope(whole)
    assert envelope_in(Document.PROFILE, whole) == Envelope(
        key_id="k1", signature=signature, payload=payload
    )


def test_the_signed_line_is_the_one_fleets_sign_today() -> None:
    """Signers outside of this repository write it themselves."""
    assert signed_bytes(Document.MANIFEST, b"{}") == b"posagent manifest 1\n{}"
    assert signed_bytes(Document.PROFILE, b"{}") == b"posagent profile 1\n{}"


@pytest.mark.parametrize(
    "changed",
    [
        {"manifest": 2},
        {"manifest": True},
        {"manifest": "1"},
        {"profile": 1},
        {"key_id": "a b"},
        {"signature": "not base64"},
        {"payload": 5},
    ],
    ids=str,
)
def test_another_form_is_refused(changed: dict[str, object]) -> None:
    """A number that only equals 1, another kind beside it, a field of another type."""
    assert envelope_in(Document.MANIFEST, GOOD).payload == b"{}"
    with pytest.raises(DocumentError):
        envelope_in(Document.MANIFEST, {**GOOD, **changed})


def test_a_manifest_is_no_profile() -> None:
    """The envelope says which of them it is."""
    with pytest.raises(DocumentError, match="not a signed profile"):
        envelope_in(Document.PROFILE, GOOD)


@given(given=st.binary(max_size=100))
def test_no_bytes_raise_anything_else(given: bytes) -> None:
    """Neither while they are parsed nor while they are opened."""
    try:
        envelope_in(Document.MANIFEST, parsed(given))
    except DocumentError:
        return
