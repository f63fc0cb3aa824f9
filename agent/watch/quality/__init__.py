"""Link quality: how good the way is that holds – signal, drops, latency, loss.

Two components. `link` is always there, sends nothing and counts what others leave behind; `signal`
stays thin until a radio is seen: a terminal without Wi-Fi and modem loads none of its sources.
"""

from __future__ import annotations

from agent.blocking import Blocking
from agent.clock import Clock
from agent.config import Config
from agent.watch.quality.link import LinkWatcher
from agent.watch.quality.radio import SignalWatcher


def build(config: Config, *, clock: Clock, blocking: Blocking) -> tuple[LinkWatcher, SignalWatcher]:
    """Both watchers."""
    link = LinkWatcher(config.signal, config.connectivity.slow_ms, blocking, clock)
    signal = SignalWatcher(
        config.signal,
        config.cellular,
        blocking,
        clock,
        needed=(
            *config.connectivity.interfaces,
            *(one.interface for one in config.channel if one.interface),
        ),
    )
    return link, signal
