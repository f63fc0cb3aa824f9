"""Names by chance for what the agent makes: a bundle, a backup, a list that is taken in.

One in fifteen thousand of plain hexadecimal numbers this long looks like a card number. Our own
guard then refuses it at the border and masks it in the log, and nobody can ask for what it names.
"""

from __future__ import annotations

import os
import re

BYTES = 8
#: A card number has one digit more at least.
_TOO_MANY_DIGITS = re.compile(r"[0-9]{12}")


def name() -> str:
    """16 hexadecimal digits that nobody takes for a card number."""
    while _TOO_MANY_DIGITS.search(drawn := os.urandom(BYTES).hex()):
        continue
    return drawn
