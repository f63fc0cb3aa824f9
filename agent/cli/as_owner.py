"""Root's commands in a directory of somebody else's, done with that somebody's rights.

Whoever owns a directory can put a link in the place of any name in it, between looking and opening:
root would follow. With the owner's rights it leads nowhere the owner could not go; and what is made
there is the owner's, who has to work with it. Called by `agent.cli.journal`,
`agent.cli.provision_machine` and `agent.cli.selftest`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def as_owner(directory: Path) -> Iterator[None]:
    """The rights of the one `directory` belongs to, where we are root and that is not."""
    seen = directory.stat()
    if os.geteuid() != 0 or seen.st_uid == 0:
        yield
        return
    group, groups = os.getegid(), os.getgroups()
    os.setgroups([])
    os.setegid(seen.st_gid)
    os.seteuid(seen.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)
