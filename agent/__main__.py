"""`python -m agent` and the command `posagent`."""

from __future__ import annotations

import sys

from agent.cli.service import served


def main() -> None:
    """Run the daemon, or the command line, with the arguments of this process."""
    argv = sys.argv[1:]
    code = served(argv)
    if code is None:
        from agent.cli.app import main as carry_out

        code = carry_out(argv)
    sys.exit(code)


if __name__ == "__main__":
    main()
