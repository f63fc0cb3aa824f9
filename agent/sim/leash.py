"""A command to put in front of another, which then ends with whoever started it.

Decides nothing but that: the simulators and the demo start processes, and one that outlives them
would open the pseudo terminal a later simulator is given, or hold a port. It works by the kernel
(prctl's PR_SET_PDEATHSIG) and in place, so process id and command line stay. Whoever starts is a
thread, strictly: start from one that lives as long as the process may.
"""

from __future__ import annotations

import functools
import shutil
import subprocess


@functools.cache
def leash() -> tuple[str, ...]:
    """Empty where util-linux is missing or old: then a killed run leaves its processes behind."""
    program = shutil.which("setpriv")
    if program is None:
        return ()
    words = (program, "--pdeathsig", "KILL", "--")
    tried = subprocess.run([*words, program, "--version"], capture_output=True, check=False)
    return words if tried.returncode == 0 else ()
