"""The end of a daemon that hangs, where no service manager watches it: Android's init, SysV.

The kernel keeps the time. Every beat winds its timer up again; when the beats stay away, SIGALRM
ends the process as an untouched signal does – also where Python itself cannot run any more – and
whoever started the daemon starts it anew. It costs no thread and no wake-up, and does not run while
the terminal sleeps. A process that waits inside the kernel for a dead disk it ends no sooner than
SIGKILL would. Knows no reason to hang; called by `agent.supervise`.
"""

from __future__ import annotations

import signal


class Deadman:
    """One timer; there is only one such timer in a process."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s

    def arm(self) -> None:
        """Begin. From the main thread, like everything about signals."""
        # Whoever started us may have had it ignored, and that is handed down.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        self.beat()

    def beat(self) -> None:
        """Alive: the time begins again."""
        signal.setitimer(signal.ITIMER_REAL, self.limit_s)


def disarm() -> None:
    """For a process about to replace itself: the timer would go over to the next one."""
    signal.setitimer(signal.ITIMER_REAL, 0)
