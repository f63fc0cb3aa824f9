"""The configuration as two documents: the key table for readers, the commented file for installers.

Keys, bounds and defaults come from `agent.config` by introspection; only the one-line meanings are
written here, and a test fails when a key has none. `posagent config keys` prints the table,
`posagent config keys --toml` the file; docs/contracts/configuration.md and packaging/posagent.toml
are these two outputs, kept current by a test.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping

from agent.cli import (
    config_adapter,
    config_bundle,
    config_channels,
    config_drill,
    config_fleet,
    config_inspection,
    config_page,
    config_reconcile,
    config_slips,
    config_software,
    config_system,
    config_terminal,
)
from agent.settings.schema import Key, keys

#: What each table is for.
TABLES: Mapping[str, str] = {
    **config_terminal.TABLES,
    "[agent]": "Who this terminal is and where it keeps things.",
    "[api]": "The unix socket of the local API and who may do what on it.",
    "[[uplink]]": "One way to one host that keeps the receiver contract; repeat the table for "
    "more. Without any, payments are recorded and nothing is sent.",
    '[[uplink]] # type = "iso8583"': "One way to one acquirer that speaks ISO 8583 over TCP or "
    "TLS; the defaults are those of UnionPay terminals. docs/contracts/iso8583.md has the rest.",
    "[check]": "What a payment is held against before it is taken (`POST /v1/check`). Submitted "
    "all the same, an advice is taken and flagged; a request meets the keys `on_…`.",
    "[[limit]]": "How much may be taken, and how much may be unsent, in one currency.",
    "[app]": "The payment app, where it sends payments itself and reports their stages.",
    "[store]": "How large the journal may become, and how long it remembers.",
    "[telemetry]": "The fleet's MQTT broker. Without an endpoint everything is kept locally.",
    **config_adapter.TABLES,
    **config_fleet.TABLES,
    "[printer]": "A receipt printer on a serial line, USB or the network. Without a device: not "
    "fitted. docs/hardware/printers.md says what is ever sent to it.",
    "[scanner]": "A barcode scanner on a serial line or USB, or built in. Without a device: not "
    "fitted. What it reads is never kept; docs/hardware/scanners.md has the rest.",
    "[discovery]": "What is attached, and how its coming and going is noticed.",
    "[inventory]": "What is told of the attached devices themselves.",
    "[keypad]": "A keypad Linux knows as an input device; classes and counts of keys are told, "
    "never keys. Without device or name: not fitted. docs/hardware/keypads.md.",
    "[[channel]]": "One way out of this terminal, in order of preference; the first is the main "
    "one. Without any the system chooses. docs/operations/channels.md.",
    "[channels]": "When the next [[channel]] is taken, and when the better one is taken again.",
    "[connectivity]": "The way from this terminal to its hosts.",
    "[signal]": "How good that way is: drops, latency, loss, and what Wi-Fi hears.",
    "[cellular]": "A modem and its SIM, by ModemManager or on an AT port that nobody else has. "
    "docs/hardware/radios.md says what is asked and what is never kept.",
    **config_system.TABLES,
    **config_software.TABLES,
    "[hooks]": "How the vendor's firmware hooks are run; firmware_hooks/README.md has the rest.",
    "[[hook]]": "One component the vendor's firmware speaks for.",
    **config_inspection.TABLES,
    **config_reconcile.TABLES,
    **config_drill.TABLES,
    **config_bundle.TABLES,
    **config_page.TABLES,
    "[health.CODE]": "Delays of one condition, e.g. [health.printer.paper_out].",
}

#: What each key is for; the bounds are not repeated here.
MEANINGS: Mapping[str, str] = {
    **config_terminal.MEANINGS,
    "agent.device_id": "Fixed for the hardware; empty: derived from /etc/machine-id.",
    "agent.tenant": "Whose fleet this is; second part of every MQTT topic.",
    "agent.site": "Where the terminal stands, for people.",
    "agent.language": "Language of texts for people; auto: that of the environment.",
    "agent.state_dir": "Journal, health history and outbox. Never on a RAM disk: it holds money.",
    "agent.run_dir": "Holds the API socket.",
    "agent.log_level": "How much is logged.",
    "api.submit": "Who may hand over payments: user names, numeric uids or @groups.",
    "api.read": "Who may read backlog, health and explanations.",
    "api.report": "Who may report readings (firmware, hooks).",
    "api.technician": "Who may also retry, hold and release payments.",
    "api.max_connections": "Connections at once; more are answered 503.",
    "api.reserved_for_submit": "Connections of those kept free for payments.",
    "api.head_timeout_s": "How long a client may take for the head of a request.",
    "api.body_timeout_s": "How long a client may take for the body of a request.",
    "api.handler_timeout_s": "How long an answer may take before it is 503.",
    "api.idle_timeout_s": "How long a connection may stay open without a request.",
    "uplink.name": "What payments name in `uplink`; unique.",
    "uplink.type": "Protocol to the host.",
    "uplink.url": "Where payments are posted; status is asked at url/KEY. http only to loopback.",
    "uplink.enabled": "Kill switch: false records and explains, and sends nothing.",
    "uplink.shadow": "Pilot mode: as enabled = false, but without the alarm.",
    "uplink.ca_file": "CA the host's certificate must come from; empty: those of the system.",
    "uplink.cert_file": "Client certificate for mutual TLS.",
    "uplink.key_file": "Its private key; only the agent's user should be able to read it.",
    "uplink.in_flight": "Payments on their way at once.",
    "uplink.order": "Kept per payment, or for the whole terminal.",
    "uplink.connect_timeout_s": "How long TCP and TLS may take.",
    "uplink.answer_timeout_s": "How long the host may take; afterwards the outcome is unknown.",
    "uplink.keep_alive_s": "How long an idle connection is kept.",
    "uplink.backoff_base_s": "First wait after a failure; doubles, with jitter.",
    "uplink.backoff_cap_s": "Longest wait after a failure.",
    "uplink.pause_s": "Rest after 401, 403 or a redirect before one payment tries again.",
    "uplink.status_query": "Whether the host answers GET url/KEY as the receiver contract says.",
    "uplink.key_window_s": "How long the host remembers a key; resending stops at 80 % of it.",
    "uplink.host_in_flight_s": "How long the host may still work on a post it has not answered.",
    "uplink.on_unknown": "What to do about an unknown outcome.",
    "uplink.qr": "Whose times payments by code keep, by name or as a table of times of one's own: "
    "query_s, confirm_s, closes_s, cancel_after_s, cancel_within_s, cancel_same_day, "
    "cancel_grace_s, refund_within_s.",
    "uplink.outcomes": "HTTP status = meaning, where this host differs from the contract.",
    "uplink.iso8583.host": "Name or address of the acquirer.",
    "uplink.iso8583.port": "Its port.",
    "uplink.iso8583.tls": "Speak TLS; false only on a private line.",
    "uplink.iso8583.in_flight": "Terminals on their way at once; one terminal never has two.",
    "uplink.iso8583.pause_s": "Rest after 03, 58 or 97 to an advice before one tries again.",
    "uplink.iso8583.idle_s": "How long an idle connection is used again.",
    "uplink.iso8583.length": "How the length before a message is written; it excludes itself.",
    "uplink.iso8583.tpdu": "TPDU in hexadecimal, such as 6000030000; empty: none.",
    "uplink.iso8583.tpdu_check": "What an answer's TPDU must be: source and destination swapped, "
    "the same, or anything.",
    "uplink.iso8583.header": "Header behind the TPDU in hexadecimal; empty: none.",
    "uplink.iso8583.payload_begins": "Where the app's bytes begin; the agent puts TPDU and header "
    "before them if they are missing.",
    "uplink.iso8583.dialect": "Digits packed two to a byte, as characters, or with the bitmap as "
    "characters too.",
    "uplink.iso8583.fields": "Field = notation, where this host differs from UnionPay.",
    "uplink.iso8583.bound": "Fields an answer must repeat, beside the message type.",
    "uplink.iso8583.protected_fields": "Card data fields the app hands over encrypted or "
    "tokenised; the others are refused.",
    "uplink.iso8583.codes": "Field 39 = meaning, laid over UnionPay's table.",
    "uplink.iso8583.query_codes": "Field 39 of the answer to a query message = what became of the "
    "payment.",
    "uplink.iso8583.repeat": "Which repeats are marked in the message type (xxx1).",
    "uplink.iso8583.on_unknown": "What to do about an unknown outcome; resend: advices and "
    "reversals only.",
    "uplink.iso8583.batch_wait_s": "How long a batch upload waits for what it covers before a "
    "person must choose.",
    "uplink.iso8583.echo": "Who makes echo messages on an idle line: nobody, the app "
    "(echo_message), or the agent under a TID of its own.",
    "uplink.iso8583.echo_period_s": "How long the line is idle before an echo.",
    "uplink.iso8583.echo_terminal_id": "TID for echoes only (echo = own_tid).",
    "uplink.iso8583.echo_merchant_id": "Its MID.",
    "uplink.iso8583.echo_message": "The app's own echo message from the message type on, in "
    "hexadecimal (echo = app).",
    "check.duplicate_window_s": "Same terminal, kind, amount and card within this: a duplicate?",
    "check.trace_window_s": "The same by STAN and batch instead of the card; 0: not looked for.",
    "check.future_s": "How far ahead of this terminal's clock a payment may be; 0: any.",
    "check.past_s": "How far behind it a request may be; 0: any. Advices may be older.",
    "check.terminal_ids": "TIDs issued to this terminal; empty: any.",
    "check.merchant_ids": "MIDs issued to this terminal; empty: any.",
    "check.currencies": "Currencies taken here; empty: any.",
    "check.kinds": "Kinds of payment done here; empty: all.",
    "limit.currency": "Which currency, as in ISO 4217.",
    "limit.posting": "Which payments it binds; advices are those approved by the terminal itself.",
    "limit.single_minor": "Largest single amount in fen, cent …; unset: any.",
    "limit.confirm_minor": "From this amount on the cashier is asked to look again; unset: never.",
    "limit.total_minor": "Largest sum unsent; unset: any.",
    "limit.count": "Most payments unsent; unset: any.",
    "limit.age_s": "While a payment is unsent for this long no new one is taken; unset: any.",
    "limit.warn_percent": "Part of a limit from which it is spoken of.",
    "app.answer_timeout_s": "No answer reported within this after `sent`: the payment is in doubt.",
    "app.silence_s": "Nothing reported within this after the hand-over is doubt; 0: never.",
    "app.batch_open_max_s": "A batch open for longer is an alarm; 0: never.",
    "store.reserve_kb": "Kept free for answers to payments under way when the storage is full.",
    "store.max_unsent": "Unsent payments at which new requests are refused; advices are taken.",
    "store.max_mb": "Size of the journal at which new requests are refused; advices are taken.",
    "store.retention_days": "How long a final payment is kept; its key is remembered for ever. "
    "Not below any uplink's key_window_s.",
    "store.prune_per_day": "Most payments forgotten in a day, to spare the flash.",
    "store.seal": "Whether payloads are sealed as they are stored; those stored before stay as "
    "they are and are read all the same.",
    "store.key_file": "The key ring payloads are sealed with; empty: payload.keys in state_dir. On "
    "another storage a stolen flash tells nothing.",
    "store.verify_period_s": "Everything stored is checked once in this time, in quiet moments; 0: "
    "only by posagent verify.",
    "telemetry.endpoints": "Brokers, tried in order; mqtt:// only to loopback.",
    **config_adapter.MEANINGS,
    **config_fleet.MEANINGS,
    "telemetry.protocol": "MQTT version; auto: 5, then 3.1.1.",
    "telemetry.username": "MQTT user; empty: none.",
    "telemetry.password_file": "File holding the MQTT password, without a line end.",
    "telemetry.ca_file": "CA the broker's certificate must come from; empty: the system's.",
    "telemetry.cert_file": "Client certificate for mutual TLS.",
    "telemetry.key_file": "Its private key; only the agent's user should be able to read it.",
    "telemetry.keepalive_s": "MQTT keep-alive; auto: 120 s, on cellular from 300 s up to 1200 s as "
    "long as silence proves harmless (learnt per operator).",
    "telemetry.spread_s": "Over how long the terminals of a fleet come back after their server "
    "went away; 0: as after trouble of their own. A reconnect_cap_s below 60 caps it.",
    "telemetry.proxy": "Proxy to the brokers: http://[user@]host:port or socks5://[user@]host:port.",
    "telemetry.proxy_password_file": "File holding the proxy's password.",
    "telemetry.boot_delay_s": "Upper bound of the random wait before the first connection.",
    "telemetry.reconnect_base_s": "First wait after a lost connection; doubles, with jitter.",
    "telemetry.reconnect_cap_s": "Longest wait after a lost connection.",
    "telemetry.puback_timeout_s": "How long the broker may take to acknowledge.",
    "telemetry.will_delay_s": "How long the broker waits before it says `lost`; MQTT 5 only.",
    "telemetry.window": "Messages on their way at once.",
    "telemetry.profile": "How often what is not urgent is told: every 15 min (`default`) or every "
    "hour (`eco`), and a full report once a day.",
    "telemetry.health_period_s": "How often readings that moved are reported; otherwise as the "
    "profile says.",
    "telemetry.full_period_s": "How often everything is reported; otherwise as the profile says.",
    "telemetry.backlog_period_s": "How often unsent money is reported without a change; otherwise "
    "as the profile says.",
    "telemetry.daily_budget_kb": "What a day may cost on the wire, both directions; less is told "
    "from 60 percent on, alarms and money always. 0: no budget. Not set: 150, for bytes on "
    "cellular networks and metered channels only; elsewhere they are counted, nothing is left out.",
    "telemetry.drain_messages_per_s": "How fast readings and history leave; alarms and money do "
    "not wait for it.",
    "telemetry.drain_bytes_per_s": "The same in bytes on the wire.",
    "telemetry.outbox_max_rows": "Messages kept while the broker is away.",
    "telemetry.outbox_max_bytes": "The same in bytes; the oldest readings are thinned first.",
    "printer.device": "Serial line /dev/ttyS1, USB /dev/usb/lp0 or tcp://host:9100; empty: not "
    "fitted.",
    "printer.baud": "Line speed, as set in the printer.",
    "printer.parity": "Parity, as set in the printer.",
    "printer.flow": "Flow control, as set in the printer.",
    "printer.period_s": "How often the printer is asked.",
    "printer.answer_timeout_s": "How long it may take to answer.",
    "printer.dialect": "The language it is asked in; auto: by its USB id or its answers, else "
    "ESC/POS.",
    "printer.paper_sensor": "How its paper sensors are wired; auto: either bit of a pair counts.",
    "printer.also_ask": "Parts it has beside the roll, to be asked about: slip, ink, micr.",
    "printer.push": "Have a printer on a serial line report changes by itself (GS a), so that they "
    "show within a second; this changes a setting in the printer until it is switched off.",
    "printer.identify": "Ask a printer on a serial line for maker, model, firmware and serial "
    "number (GS I).",
    "scanner.device": "Serial device, input node or usb:VVVV:PPPP; empty: not fitted.",
    "scanner.dialect": "How it is asked; auto: by its USB id, else tried; newland: v2, else "
    "v1 (HR15 and its time); hid: a keyboard, only presence; hook: built in, firmware tells.",
    "scanner.open": "Whether a serial port may be opened: while nobody else is seen to hold it, "
    "never, or kept open because no other program uses it.",
    "scanner.baud": "Line speed, as set in the scanner.",
    "scanner.parity": "Parity, as set in the scanner.",
    "scanner.period_s": "How often the scanner is looked at.",
    "scanner.answer_timeout_s": "How long it may take to answer.",
    "scanner.told_max_age_s": "How long what a hook or the app told of it counts.",
    "scanner.battery_low_percent": "Battery charge at or below this is an alarm.",
    "scanner.no_read_percent": "Tries without a code in a hundred that are an alarm.",
    "scanner.no_read_clear_percent": "At or below this the alarm ends.",
    "scanner.no_read_least": "Tries below which nothing is said.",
    "scanner.no_read_window": "Tries after which older ones count half.",
    "discovery.hotplug": "How a device that comes or goes is noticed: by the kernel's messages, or "
    "by looking every poll_s; auto: the first that can be had.",
    "discovery.poll_s": "How often to look where the kernel's messages cannot be heard; "
    "at least 10 s apart where no device is configured.",
    "discovery.period_s": "How often all that is attached is looked at without a message.",
    "discovery.sysfs": "Where the kernel's description of the hardware is; another path in a "
    "container.",
    "discovery.dev": "Where the device nodes are.",
    "discovery.ignore": 'USB ids ("1a86:7523") of devices that need no driver here.',
    "inventory.serials": "Serial numbers of devices: as they are, their last four characters, or "
    "not at all.",
    "inventory.period_s": "How often the list of devices is brought up to date.",
    "keypad.device": "Input device, e.g. /dev/input/by-id/…-event-kbd; the number of an eventN may "
    "change. A unix socket that carries input events does as well.",
    "keypad.name": "Instead of a device: part of its name in /proc/bus/input/devices.",
    "keypad.read": "Whether it may be read: auto: unless its name says that PINs are entered on "
    "it; never: only whether it is there; always: nobody enters PINs on it, whatever its name.",
    "keypad.pause_file": "While this file is there not a key is read: the payment app makes it "
    "before it asks for a PIN and removes it afterwards; empty: none.",
    "keypad.stuck_after_s": "How long a key is down before it is recorded as stuck; it is shown "
    "20 s later.",
    "keypad.keys": "Keys the guided test asks for; empty: digits, enter, clear and cancel, as far "
    "as the keypad says it has them.",
    "keypad.period_s": "How often its state is noted; keys wake the agent by themselves.",
    "hooks.directory": "Where hooks lie; only root or the agent may be able to write there.",
    "hooks.deadline_s": "A hook that takes longer is killed with everything it started.",
    "hooks.output_max_bytes": "A hook that prints more, in all or in one line, is killed.",
    "hooks.rest_s": "Rest after three failures in a row; doubles with each further one.",
    "hooks.rest_max_s": "Longest rest.",
    "hooks.about_period_s": "How often the hooks identity and inventory are asked, shown as the "
    "component firmware; 0: never.",
    "hooks.events": "Conditions whose hook event.CODE is told when they begin, show, clear or end.",
    "hooks.actions_socket": "Where posagent-actions listens, which runs the action hooks.",
    "hooks.wrapped_keys": "File with the payload keys as the firmware wrapped them, opened by the "
    "hook key.unwrap at every start, instead of store.key_file; empty: the agent keeps its own.",
    **config_inspection.MEANINGS,
    **config_reconcile.MEANINGS,
    **config_drill.MEANINGS,
    **config_bundle.MEANINGS,
    **config_slips.MEANINGS,
    **config_page.MEANINGS,
    "hook.component": "Which: printer, scanner, keypad, system or a name of the vendor's own.",
    "hook.door": "How it is heard: probe.COMPONENT is run, stream.NAME keeps running, or it is "
    "pushed to POST /v1/readings.",
    "hook.owns": "Instead of the agent's own watcher; false: only adds what that does not know.",
    "hook.stream": "Name of the stream; empty: that of the component.",
    "hook.period_s": "How often probe.COMPONENT is run.",
    "hook.stale_s": "How long the last word of a stream or push counts; then it is unknown.",
    "hook.push": "Who may push it: user names or uids that hold the role report; empty: only root.",
    **config_channels.MEANINGS,
    "connectivity.interfaces": "Interfaces to watch; empty: the one with the default route.",
    "connectivity.hosts": "host:port or https:// to reach; empty: those of the uplinks.",
    "connectivity.dns_name": "Name to resolve; empty: the first host that has one.",
    "connectivity.references": "host:port beyond the shop's network, tried only to tell a dead "
    "line from a dead host; empty: name servers and the hosts themselves have to tell.",
    "connectivity.portal_url": "http:// address that answers 204 without a body where nobody asks "
    "for a sign-in; empty: sign-in pages are not looked for.",
    "connectivity.tunnels": "Interfaces of private lines and VPNs this terminal needs.",
    "connectivity.period_s": "How often the layers are tested.",
    "connectivity.timeout_s": "How long one test may take.",
    "connectivity.certificate_warn_days": "Days before a host's certificate expires to warn.",
    "connectivity.slow_ms": "A round trip above this is slow.",
    "signal.period_s": "How often it is looked at.",
    "signal.window_s": "How far back latency and loss look.",
    "signal.drops_per_hour": "Link losses in an hour from which a link is unstable.",
    "signal.loss_percent": "Connections lost between others, or segments sent twice, from which a "
    "link is unstable.",
    "signal.wifi": "Whether Wi-Fi is looked at where there is any.",
    "signal.wifi_weak_dbm": "Wi-Fi below this is weak.",
    "signal.names": "Whether names of Wi-Fi networks (SSID, BSSID) are kept and told.",
    "cellular.source": "Where the modem is asked; auto: on `device` where one is named, else "
    "through ModemManager where there is a modem.",
    "cellular.device": "The modem's AT port.",
    "cellular.baud": "Its speed; of no matter on USB.",
    "cellular.open": "always: also where it cannot be seen whether another user's program has "
    "the port.",
    "cellular.answer_timeout_s": "How long the modem may take for one answer.",
    "cellular.bus": "D-Bus address of ModemManager; empty: the system bus.",
    "cellular.interface": "The modem's network interface, where it cannot be found out.",
    "cellular.expected": "Whether trouble with the SIM is an alarm; auto: where `device` is set, "
    "or once the modem was registered.",
    "cellular.search_s": "How long a modem may look for its network before that is trouble.",
    "cellular.weak_rsrp_dbm": "LTE and 5G below this are weak.",
    "cellular.weak_rssi_dbm": "2G and 3G below this are weak.",
    "connectivity.probe_bytes_per_day": "What tests may cost in a day; when it is spent only "
    "doubts are looked into, and more slowly. 0: never tested while nothing is wrong.",
    **config_system.MEANINGS,
    **config_software.MEANINGS,
    "health.CODE.visible_after_s": "How long it must last before it shows; unset: as built in.",
    "health.CODE.clear_after_s": "How long it must be gone before it clears; unset: as built in.",
    "health.CODE.enabled": "false: never shown.",
}

#: Examples for what must be given, so that the commented file can be uncommented as it is.
_EXAMPLES: Mapping[str, str] = {
    **config_terminal.EXAMPLES,
    **config_fleet.EXAMPLES,
    **config_software.EXAMPLES,
    **config_page.EXAMPLES,
    **config_reconcile.EXAMPLES,
    **config_system.EXAMPLES,
    "channel.name": '"cable"',
    "channel.interface": '"eth0"',
    "hook.component": '"printer"',
    "uplink.name": '"main"',
    "uplink.url": '"https://host.example/payments"',
    "uplink.iso8583.name": '"acquirer"',
    "uplink.iso8583.host": '"acquirer.example"',
    "uplink.iso8583.port": "8583",
    "uplink.qr": '"wechat"',
    "telemetry.health_period_s": "900.0",
    "telemetry.full_period_s": "86400.0",
    "telemetry.backlog_period_s": "900.0",
    "telemetry.daily_budget_kb": "150",
    "limit.currency": '"CNY"',
    "limit.single_minor": "100000",
    "limit.confirm_minor": "50000",
    "limit.total_minor": "1000000",
    "limit.count": "500",
    "limit.age_s": "86400",
    "health.CODE.visible_after_s": "10.0",
    "health.CODE.clear_after_s": "10.0",
}

_INTRODUCTION = """\
# Configuration

<!-- Written by `posagent config keys`. Do not edit: change agent/config/ or
agent/cli/config_reference.py, then write both documents again. -->

`/etc/posagent/posagent.toml`, then `conf.d/*.toml` beside it in the order of their names. A later
key wins; `[[uplink]]` and `[[limit]]` entries add up. No file at all is fine: every default works,
nothing is sent and nothing is reported until an uplink and an endpoint are set.

Everything is checked before anything starts: `posagent config check` lists every problem with file,
line, table, key, what was found and what is allowed; an unknown key is a problem and names the
nearest valid one. `posagent config show` prints what is in force and where each value came from,
with secrets masked.

Rules between and beside the bounds:

- Files, their directories and `conf.d` must belong to root or the agent's own user and must not be
  writable by group or others; the complaint names the command that puts it right.
- `http://` and `mqtt://` only to this machine; no user, password, `?` or `#` in an address.
- `[[uplink]]` names are unique; so is each `currency` with its `posting` among `[[limit]]`, and
  each limits something. `backoff_base_s` ≤ `backoff_cap_s`,
  `reconnect_base_s` ≤ `reconnect_cap_s`, `reserved_for_submit` < `max_connections`.
- Paths are absolute. Certificates, keys, passwords and manifests must be readable; a `key_file`
  needs its `cert_file`. The socket `run_dir/api.sock` must fit into 107 bytes.
- `[health.CODE]` takes codes of conditions only; `[health.printer.paper_out]` and
  `[health."printer.paper_out"]` mean the same.
"""

_TOML_INTRODUCTION = """\
# posagent: every key with its default. Uncomment what you change.
#
# This file and conf.d/ must belong to root and be writable by nobody else.
# Check with: posagent config check      See what is in force: posagent config show
# Bounds and rules: docs/contracts/configuration.md
"""


def markdown() -> str:
    """docs/contracts/configuration.md."""
    lines = [_INTRODUCTION]
    for table, entries in _by_table():
        lines += [f"## `{table}`", "", TABLES[table], ""]
        lines += ["| key | allowed | default | meaning |", "|---|---|---|---|"]
        for key in entries:
            default = f"`{key.default}`" if key.default else "**must be given**"
            allowed = key.allowed[0].replace("|", "\\|")
            lines.append(f"| `{key.name}` | {allowed} | {default} | {meaning(key)} |")
        lines.append("")
    return "\n".join(lines)


def toml() -> str:
    """packaging/posagent.toml: the tables of one each live, the others commented out whole."""
    lines = [_TOML_INTRODUCTION]
    for table, entries in _by_table():
        lines += [f"# {line}" for line in textwrap.wrap(TABLES[table], 96)]
        commented = table.startswith("[[") or "CODE" in table
        lines.append(("#" if commented else "") + table.replace("CODE", "printer.paper_out"))
        for key in entries:
            said = f"{meaning(key)} {key.allowed[0][0].upper()}{key.allowed[0][1:]}."
            lines += [f"# {line}" for line in textwrap.wrap(said, 96)]
            lines.append(f"#{key.name} = {_EXAMPLES.get(key.path, key.default)}")
        lines.append("")
    return "\n".join(lines)


def _by_table() -> Iterator[tuple[str, list[Key]]]:
    grouped: dict[str, list[Key]] = {}
    for key in keys():
        grouped.setdefault(key.table, []).append(key)
    yield from grouped.items()


def meaning(key: Key) -> str:
    """The key's one line. What every type of a table has is said once, with the first type."""
    table, _, name = key.path.rpartition(".")
    return MEANINGS.get(key.path) or MEANINGS[f"{table.partition('.')[0]}.{name}"]
