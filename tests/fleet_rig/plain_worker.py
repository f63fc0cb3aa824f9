"""The storm's control: terminals that come back as paho would by itself.

1 s, then twice as long each time up to 120 s, from the moment the connection was lost and without
jitter. Everything else is the simulated fleet's own worker.
"""

from __future__ import annotations

import sys
from typing import Any

from agent.core.fleet.session import Session
from agent.sim import fleet_worker

FIRST_S = 1.0
CAP_S = 120.0


def stay_away_s(self: Any, *_circumstances: object) -> float:
    return float(min(CAP_S, FIRST_S * 2.0 ** min(self._failures - 1, 30)))


if __name__ == "__main__":
    Session._stay_away_s = stay_away_s  # type: ignore[method-assign]
    sys.exit(fleet_worker.main())
