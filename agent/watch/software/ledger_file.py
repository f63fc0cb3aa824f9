"""Where updates are kept, and whether any ever was: asked at every start, before `ledger` is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FILE = "updates.json"


def begun(state_dir: Path) -> bool:
    """Whether there is a file; one that cannot be looked at is there."""
    try:
        (state_dir / FILE).stat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True
