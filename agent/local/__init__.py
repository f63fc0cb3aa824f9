"""The local API: what payment apps, technicians and firmware on this terminal may ask.

`build` gives the part. It decides who may ask (roles) and how an answer looks on HTTP; what an
operation does is plugged in, so that the command line and the fleet run the very same actions.
"""

from __future__ import annotations

from agent.local.api import Do, HealthFeed, Intake, LocalApi, build

__all__ = ["Do", "HealthFeed", "Intake", "LocalApi", "build"]
