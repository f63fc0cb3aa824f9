"""What the table [[reconcile]] and its keys are for; see `config_reference`."""

from __future__ import annotations

from collections.abc import Mapping

TABLES: Mapping[str, str] = {
    "[[reconcile]]": "One acquirer's or bank's settlement list: how it is written and when it "
    "pays; docs/reconcile.md.",
}

MEANINGS: Mapping[str, str] = {
    "reconcile.name": "How it is asked for: posagent reconcile FILE --profile NAME.",
    "reconcile.merchant_ids": "MIDs the list may be of; any other one is refused.",
    "reconcile.terminal_ids": "TIDs the list may be of; any other one is refused.",
    "reconcile.format": "auto looks at the first character.",
    "reconcile.encoding": "auto: byte order mark, UTF-8, else GB18030 (GBK is part of it).",
    "reconcile.delimiter": "Between columns; empty: found out from the heading.",
    "reconcile.columns": "What a column is (key, rrn, stan, batch, terminal_id, merchant_id, "
    "amount, fee, net, currency, kind, occurred, date, time, settled_on, card, status, refund) -> "
    "its heading, where the usual Chinese and English ones do not fit.",
    "reconcile.kinds": "Words of the type column -> sale, refund, void, chargeback, fee.",
    "reconcile.statuses": "Words of the status column -> settled, held, restricted, failed.",
    "reconcile.comment": "Lines that begin so are passed over.",
    "reconcile.amounts": "decimal: yuan with a point; minor: fen.",
    "reconcile.signs": "turned: payments to the merchant are negative.",
    "reconcile.currency": "Where no column tells it.",
    "reconcile.time_formats": "For the moment column, as strptime reads them; empty: the usual "
    "ones.",
    "reconcile.date_formats": "The same for days.",
    "reconcile.utc_offset": "In which time the list is written.",
    "reconcile.footer": "What its last line begins with (合计); a list without it is refused. "
    "Empty: it has none.",
    "reconcile.footer_count": "Column of that line with the number of lines, from 1; 0: none.",
    "reconcile.footer_sum": "Column of that line with the sum of the amounts; 0: none.",
    "reconcile.cycle": "T+0: at once; T+1: the next day it pays; D+1: the next day.",
    "reconcile.cut_off": "Payments from then on count for the next day.",
    "reconcile.weekends": "Whether it pays on Saturdays and Sundays.",
    "reconcile.holiday_file": "Days it does not pay, and weekend days it does: TOML or CSV.",
    "reconcile.realtime": "T+0: whether real-time payout is switched on at the acquirer.",
    "reconcile.realtime_from": "T+0: the window's beginning.",
    "reconcile.realtime_to": "T+0: the window's end.",
    "reconcile.realtime_limit_minor": "T+0: most paid out at once in a day; 0: no limit.",
    "reconcile.time_tolerance_s": "How far apart a line and a payment known only by amount and "
    "time may be.",
    "reconcile.fee_percent": "Up to this a missing part of the amount is called a fee.",
    "reconcile.pull": "Where the list is fetched from: an https:// address, in which {date} "
    "(2026-11-22) and {yyyymmdd} (20261122) stand for the settlement day, or hook:NAME, which runs "
    "list.NAME of [hooks] directory. Empty: it is brought.",
    "reconcile.pull_at": "When it is fetched, in the time of utc_offset.",
    "reconcile.pull_jitter_s": "Up to so much later; each device has a moment of its own.",
    "reconcile.pull_days_back": "Which settlement day is asked for: this many days ago.",
    "reconcile.pull_deadline_s": "The whole list must be here by then.",
    "reconcile.pull_overdue_days": "Without a list for so long the component settlement is "
    "unknown, with this reason.",
    "reconcile.ca_file": "Authorities the bank's server is checked against; empty: the system's.",
    "reconcile.cert_file": "Client certificate shown to it.",
    "reconcile.key_file": "Its key; empty: in cert_file.",
    "reconcile.authorization_file": "One line, sent as the header Authorization; the agent's or "
    "root's, mode 0600. Read anew for every fetch.",
    "reconcile.max_mb": "A larger file is refused.",
    "reconcile.max_lines": "More lines are refused.",
}

EXAMPLES: Mapping[str, str] = {
    "reconcile.name": '"bank"',
}
