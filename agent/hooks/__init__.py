"""Vendor firmware's programs: run under guard, heard through three doors, believed as agreed.

A leaf: it knows the contract (`agent.wire.hooks`) and processes, not what a reading is worth. The
watchers of hooked components (`agent.watch.hooked`) take their word from here, `agent.main` runs
streams and events as the part `hooks`, and `posagent hooks check` tries a directory out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.blocking import Blocking
    from agent.clock import Clock
    from agent.config import Config
    from agent.hooks.doors import Door
    from agent.hooks.part import HooksPart


def build(config: Config, *, clock: Clock, blocking: Blocking) -> HooksPart | None:
    """The part; None, and nothing loaded, where the configuration names no hook.

    Raises OperatorError for a user this terminal does not know.
    """
    if not config.hook and not config.hooks.events and not config.hooks.about_period_s:
        return None
    from agent.hooks.part import HooksPart

    return HooksPart(config.hooks, config.hook, clock=clock, blocking=blocking)


def unwrapper(config: Config, blocking: Blocking) -> Callable[[bytes], bytes] | None:
    """Opens the payload keys the firmware keeps wrapped; None: it keeps none. Called on another
    thread, so `blocking` is for it alone."""
    if not config.hooks.wrapped_keys:
        return None
    from agent.hooks.unwrap import Unwrapper

    return Unwrapper(config.hooks, blocking)


class ProbingDoors:
    """The doors where no agent runs: `posagent probe` can run a pull hook, and hear no other."""

    def __init__(self, config: Config, *, clock: Clock, blocking: Blocking) -> None:
        from agent.hooks.pull import Puller

        self._config = config
        self.puller = Puller(config.hooks, clock, blocking)

    def door(self, component: str) -> Door:
        """Where this component is heard."""
        from agent.hooks.doors import PullDoor, ShutDoor

        one = next(one for one in self._config.hook if one.component == component)
        match one.door:
            case "pull":
                return PullDoor(one, self.puller)
            case "stream":
                return ShutDoor(f"stream.{one.stream or component}")
            case _:
                return ShutDoor("POST /v1/readings")
