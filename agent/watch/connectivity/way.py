"""What the watcher carries from round to round, for each way out and in all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from agent.config.network import Connectivity
from agent.record import dataclass
from agent.watch.connectivity.memory import Addresses, Budget, Drops, Told
from agent.watch.connectivity.rounds import Found
from agent.watch.connectivity.target import Target, parsed
from agent.watch.connectivity.verdict import lowest


@dataclass(slots=True)
class Way:
    """What is known of one way out."""

    found: Found = field(default_factory=Found)
    states: Mapping[str, str] = field(default_factory=dict)
    tried_ms: int | None = None  #: by us, or by others for us
    began_ms: int = 0  #: when the last test began
    gateway_spoke: dict[str, bool] = field(default_factory=dict)  #: by its address
    tls_ms: dict[Target, int] = field(default_factory=dict)

    @property
    def broken(self) -> str:
        return lowest(self.states)


class Memory:
    """What is carried from round to round."""

    def __init__(self, config: Connectivity, targets: Sequence[Target]) -> None:
        self.told = Told()
        self.budget = Budget(config.probe_bytes_per_day)
        self.drops = Drops()
        self.addresses = Addresses()
        self.ways: dict[str, Way] = {}
        self.way: tuple[object, ...] | None = None
        self.changed_ms = 0
        self.main = ""  #: the interface that last had the system's default route
        self.doubt = False  #: somebody's connection has failed since the last read
        self.healing = False  #: somebody's connection has held while something was broken
        self.failed = False  #: the same, of the read under way
        self.broken = ""
        self.aims = Aims(config, targets)

    def spent(self, now_ms: int) -> bool:
        """Whether the day's bytes are gone."""
        return self.budget.left(now_ms) <= 0

    def way_changed(self, now_ms: int) -> bool:
        """Whether what was found last is of another way than this."""
        return self.changed_ms == now_ms


class Aims:
    """What tests aim at beside the hosts themselves."""

    def __init__(self, config: Connectivity, targets: Sequence[Target]) -> None:
        self.name = config.dns_name or next((one.name for one in targets if one.name), "")
        self.references = tuple(parsed(one) for one in config.references)
