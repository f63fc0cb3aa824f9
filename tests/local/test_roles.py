"""Who holds which role."""

from __future__ import annotations

import grp
import os
import pwd

import pytest

from agent.config import Api
from agent.errors import OperatorError
from agent.http.message import Peer
from agent.local.roles import EVERY_ROLE, Roles
from agent.wire.api import Role


def peer(uid: int = 12345, gid: int = 54321) -> Peer:
    return Peer(uid=uid, gid=gid, pid=1)


def test_root_and_the_agent_itself_may_do_everything() -> None:
    """Whoever can replace the daemon needs no entry in its configuration."""
    roles = Roles(Api())
    assert roles.of(peer(uid=0)) == EVERY_ROLE
    assert roles.of(peer(uid=os.geteuid())) == EVERY_ROLE


def test_strangers_may_do_nothing() -> None:
    """No entry, no role; and no role without the kernel's word."""
    roles = Roles(Api())
    assert roles.of(peer()) == frozenset()
    assert roles.of(None) == frozenset()
    assert not roles.open


def test_the_agents_own_group_submits_reads_and_reports() -> None:
    """Members of the group change nothing that waits."""
    held = Roles(Api()).of(peer(gid=os.getegid()))
    assert held == {Role.SUBMIT, Role.READ, Role.REPORT}


def test_entries_are_users_numbers_and_groups() -> None:
    """A role may be given by name, by number and to a group."""
    name = pwd.getpwuid(1).pw_name
    roles = Roles(Api(submit=(name,), read=("777",), technician=("@54321",)))
    assert roles.of(peer(uid=1, gid=1)) == {Role.SUBMIT}
    assert roles.of(peer(uid=777, gid=1)) == {Role.READ}
    assert roles.of(peer()) == {Role.TECHNICIAN}
    assert roles.open


def test_supplementary_members_of_a_group_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel tells the primary group only; the group file tells the members."""
    names = [pwd.getpwuid(1).pw_name, "left-over"]
    entry = grp.struct_group(("tills", "x", 60001, names))
    monkeypatch.setattr(grp, "getgrnam", lambda _name: entry)
    monkeypatch.setattr(grp, "getgrgid", lambda _gid: entry)
    roles = Roles(Api(read=("@tills",)))
    assert Role.READ in roles.of(peer(uid=1))
    assert roles.of(peer(uid=2)) == frozenset()


@pytest.mark.parametrize("entry", ["no-such-user-here", "@no-such-group-here"])
def test_unknown_names_stop_the_start(entry: str) -> None:
    """A misspelt name is an error of the operator, said at once and with its place."""
    with pytest.raises(OperatorError) as caught:
        Roles(Api(technician=(entry,)))
    assert caught.value.code == "config.unknown_name"
    assert "[api] technician" in caught.value.what
