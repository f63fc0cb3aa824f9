"""`python -m agent` and the command `posagent`."""

from __future__ import annotations

import sys

from agent.cli.app import main as carry_out


def main() -> None:
    """Run the command line with the arguments of this process."""
    sys.exit(carry_out(sys.argv[1:]))


if __name__ == "__main__":
    main()
