"""The rig of wrong clocks tells a slow machine from a lost payment."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.uplink import uploader
from tests.crash import clocks


def test_a_machine_on_which_every_walk_is_long_is_not_called_a_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the uploader rests for long between walks, the rig's time goes on for it as well."""
    monkeypatch.setattr(uploader, "VAIN_SHARE", 1_000.0)
    result = clocks.run(tmp_path, 1, 60)
    assert result.payments > 20
    assert not result.bad, result.examples
