"""`python -m tests.cards [COUNT [SEED]]`: prints the figures; exits 1 unless both are perfect."""

from __future__ import annotations

import sys
import time

from tests.cards import numbers
from tests.cards.rig import Tally, chance_numbers, published


def main(argv: list[str]) -> int:
    total = int(argv[0]) if argv else 1_000_000
    seed = int(argv[1]) if len(argv) > 1 else 1
    tally = Tally()
    started = time.monotonic()
    for kind, count, mistaken in chance_numbers(tally, total, seed):
        print(f"{kind:18} {count:9,} looked at, {mistaken:3} taken for a card")
    share = tally.by_check_digit / max(1, tally.looked_at)
    print(f"{'in all':18} {tally.looked_at:9,} looked at, {len(tally.mistaken):3} taken for a card")
    print(
        f"control: the check digit alone would have flagged {tally.by_check_digit:,} ({share:.1%})"
    )
    published(tally)
    count = len(list(numbers.every()))
    found = tally.forms - len(tally.missed)
    print(f"{count} published test numbers: {found:,} of {tally.forms:,} forms found")
    for what in (*tally.mistaken[:20], *tally.missed[:20]):
        print(f"  WRONG {what}")
    print(f"{time.monotonic() - started:.0f} s")
    return 1 if tally.mistaken or tally.missed or not tally.by_check_digit else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
