"""Who may do what on the unix socket: the kernel names the peer, the configuration its roles.

Names are resolved once, at the start: a name service that hangs later cannot hang a payment, and
somebody added to a group afterwards needs a restart. It does not know what needs which role.
"""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Iterable

from agent.config import Api
from agent.errors import OperatorError
from agent.http.message import Peer
from agent.record import dataclass
from agent.wire.api import Role

#: What members of the agent's own group may do.
GROUP_ROLES = frozenset({Role.SUBMIT, Role.READ, Role.REPORT})
EVERY_ROLE = frozenset(Role)


@dataclass(frozen=True, slots=True)
class Holders:
    """Who holds one role."""

    uids: frozenset[int]
    gids: frozenset[int]

    def include(self, peer: Peer) -> bool:
        return peer.uid in self.uids or peer.gid in self.gids


class Roles:
    """The roles of every peer."""

    def __init__(self, config: Api) -> None:
        """Raises OperatorError for a name this terminal does not know."""
        self._everything = frozenset({0, os.geteuid()})
        own_gid = os.getegid()
        self._own = Holders(frozenset(_members(own_gid)), frozenset({own_gid}))
        named = {
            Role.SUBMIT: config.submit,
            Role.READ: config.read,
            Role.REPORT: config.report,
            Role.TECHNICIAN: config.technician,
        }
        self._named = {role: _holders(role, entries) for role, entries in named.items()}
        #: Whether somebody outside the agent's own group may connect.
        self.open = any(holders.uids or holders.gids for holders in self._named.values())

    def of(self, peer: Peer | None) -> frozenset[Role]:
        """What this peer may do; nothing where the kernel does not say who it is."""
        if peer is None:
            return frozenset()
        if peer.uid in self._everything:
            return EVERY_ROLE
        held = {role for role, holders in self._named.items() if holders.include(peer)}
        return frozenset(held | GROUP_ROLES if self._own.include(peer) else held)


def _holders(role: Role, entries: Iterable[str]) -> Holders:
    uids: set[int] = set()
    gids: set[int] = set()
    for entry in entries:
        if entry.startswith("@"):
            gid = _gid(role, entry[1:])
            gids.add(gid)
            uids.update(_members(gid))
        else:
            uids.add(_uid(role, entry))
    return Holders(frozenset(uids), frozenset(gids))


def _uid(role: Role, name: str) -> int:
    if name.isdecimal():
        return int(name)
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise _unknown(role, name, "user") from None


def _gid(role: Role, name: str) -> int:
    if name.isdecimal():
        return int(name)
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise _unknown(role, name, "group") from None


def _unknown(role: Role, name: str, kind: str) -> OperatorError:
    return OperatorError(
        "config.unknown_name",
        f"[api] {role} names the {kind} {name!r}, which this terminal does not have",
        f"create it, correct it, or give its number; groups are written @{name.lstrip('@')}",
    )


def _members(gid: int) -> list[int]:
    """Uids listed as members; those with it as their primary group show it themselves."""
    try:
        names = grp.getgrgid(gid).gr_mem
    except KeyError:
        return []
    uids: list[int] = []
    for name in names:
        try:
            uids.append(pwd.getpwnam(name).pw_uid)
        except KeyError:
            continue  # a left-over entry in /etc/group
    return uids
