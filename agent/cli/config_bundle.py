"""What the table [bundle] and some keys of [check] are for; see `config_reference`."""

from __future__ import annotations

from collections.abc import Mapping

TABLES: Mapping[str, str] = {
    "[bundle]": "What goes into a support bundle, and how many are kept; docs/bundle.md.",
}

MEANINGS: Mapping[str, str] = {
    "check.again_window_s": "How long ago an open payment may be the one that is tried again; "
    "0: not looked for.",
    "check.habit_payments": "Earlier payments of the same kind and currency a habit must rest on "
    "before an amount looks unusual; 0: never.",
    "check.habit_rare_permille": "So large an amount is unusual if fewer than this were as large.",
    "check.declines": "So many declined payments before another one look suspicious; 0: never.",
    "check.declines_window_s": "Within this.",
    "check.refunds": "So many refunds and voids look suspicious; 0: never.",
    "check.refunds_window_s": "Within this.",
    "check.splits": "So many payments of one card look split, if together they pass the limit of "
    "one; 0: never.",
    "check.splits_window_s": "Within this.",
    "check.fast_ms": "Entered and confirmed faster than this, as the app reports it, is keyed too "
    "fast; 0: any.",
    "check.on_limit": "What a request over a limit meets.",
    "check.on_duplicate": "What a suspected duplicate that nobody confirmed meets.",
    "check.on_amount": "What an unconfirmed amount that looks mistyped meets.",
    "check.on_parameter": "What a wrong date, TID, MID, currency or kind meets.",
    "check.on_suspicion": "What a suspicious pattern meets.",
    "bundle.max_kb": "A whole bundle at most, compressed.",
    "bundle.keep": "Bundles kept on this terminal; the oldest go.",
    "bundle.log_lines": "Newest lines of the agent's log taken from the journal of the system.",
    "bundle.unit": "The agent's unit in the journal of the system.",
}
