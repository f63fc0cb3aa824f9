"""What asks at the terminal itself, and whether there is a page: hardly anything is loaded for it.

The listeners are plugged together in `agent.main.listeners`, where [page] asks for one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from agent.main.floor import Floor

if TYPE_CHECKING:
    from agent.local.asked import Asked, Do
    from agent.local.door import Trail
    from agent.local.listeners import Listeners
    from agent.wire.session import DiagnoseOut


class Asking:
    """Who takes requests made at the terminal; loaded with the first of them."""

    def __init__(self, floor: Floor, trail: Trail) -> None:
        self._floor, self._trail = floor, trail
        self._do: Do | None = None
        self._asked: Asked | None = None

    def equip(self, do: Do) -> None:
        """What carries out actions; told before anything runs."""
        self._do = do

    def pressed(self) -> None:
        self._here().pressed()

    def plugged(self) -> None:
        self._here().plugged()

    def hook(self, actor: str) -> DiagnoseOut:
        return self._here().hook(actor)

    def _here(self) -> Asked:
        if self._asked is None:
            from agent.local.asked import Asked
            from agent.main.bundles import FOLDER

            assert self._do is not None, "equipped before anything runs"
            config = self._floor.config
            bundles = Path(config.agent.state_dir) / FOLDER
            self._asked = Asked(
                config.page,
                clock=self._floor.clock,
                blocking=self._floor.threads,
                do=self._do,
                trail=self._trail,
                bundle_file=lambda bundle_id: bundles / f"{bundle_id}.tar.gz",
                root=config.system.root,
            )
        return self._asked


def page_of(floor: Floor, trail: Trail) -> Listeners | None:
    """The part; None: the page is not configured. Raises OperatorError for a token file."""
    config = floor.config.page
    if not (config.listen or config.service_interface or config.service_address):
        return None
    from agent.main.listeners import listeners_of

    return listeners_of(floor, trail)
