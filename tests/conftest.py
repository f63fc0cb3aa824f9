"""Fixtures shared by all tests: where to find the broker, and that nothing is skipped silently."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def mosquitto() -> str | None:
    """The real broker's program, or None where it is not installed."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if mosquitto() is None:
        absent = pytest.mark.skip(
            reason="mosquitto is not installed: the real broker was not tried"
        )
        for item in items:
            if item.get_closest_marker("broker"):
                item.add_marker(absent)
