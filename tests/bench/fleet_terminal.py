"""A terminal's readings over one day, the same for everybody who tells them.

What the real daemon says of a cellular terminal with printer, scanner and keypad, and how it moves:
every quarter of an hour at least one reading differs by more than its hysteresis, so that no report
of the day is saved; most terminals have less to tell.
"""

from __future__ import annotations

from collections.abc import Iterator

from agent.core.fleet import plain

Value = str | int | float | bool | None

READINGS: dict[str, dict[str, Value]] = {
    "clock": {
        "state": "ok", "trusted": True, "wrong": False, "stepped_s": 0,
        "certificate_early": False, "synchronised": True,
    },
    "uplink": {"state": "ok", "cause": "", "channel": "host", "last_success_s_ago": 40},
    "agent": {"clock_trusted": True, "part_restarts": 0, "frozen_s": 0, "slept_s": 0},
    "link": {
        "interface": "wwan0", "unstable": False, "drops_last_hour": 0, "errors_last_hour": 0,
        "slow_ms": 3000,
    },
    "signal": {
        "kind": "cellular", "registration": "home", "rsrp_dbm": -95, "rsrq_db": -11,
        "technology": "lte", "sim": "ready",
    },
    "devices": {
        "usb": 2, "serial_ports": 1, "inputs": 1, "unserved": 0, "not_recognised": 0,
        "hotplug": "uevents",
    },
    "inspection": {"overdue": False, "result": "passed"},
    "queue": {
        "unsent": 0, "in_doubt": 0, "held": 0, "not_signed_on": 0, "batch_incomplete": 0,
        "quarantined": 0, "oldest_s": 0, "lapsed_recent": 0, "store_full": False,
        "store_unavailable": False, "data_error": False,
        "store": "/var/lib/posagent/journal.db", "limit_reached": False,
    },
    "connectivity": {
        "carrier": "ok", "address": "ok", "route": "ok", "gateway": "ok", "captive_portal": "ok",
        "internet": "ok", "dns": "ok", "tcp": "ok", "tls": "ok", "echo": "not_tried",
        "lowest_broken": "", "interface": "wwan0", "link_up": True,
        "ip_address": "10.64.12.7", "gateway_address": "10.64.12.1", "gateway_state": "reachable",
        "default_routes": 1, "hosts": 1, "slow_ms": 3000, "certificate_warn_days": 30,
        "dns_name": "host.acquirer.example", "dns_servers": "10.64.0.53", "dns_reason": "",
        "dns_kind": "", "dns_silent": "", "vpn": "not_needed", "hosts_reached": 1,
        "connect_ms": 140, "host": "host.acquirer.example:443", "tcp_reason": "", "tcp_code": "",
        "tcp_refused": False, "tls_reason": "", "tls_code": "", "certificate_days": 61,
        "subject": "CN=host.acquirer.example", "issuer": "CN=Acquirer Issuing CA 2",
        "intercepted": False, "bytes_spent": 2960, "bytes_limit": 10000, "probing": "normal",
        "noticing": "netlink", "drops_last_hour": 0,
    },
    "software": {
        "agent_version": "0.1.0", "os": "Debian GNU/Linux 12 (bookworm)", "kernel": "6.1.0-28",
        "update_state": "none", "update_waiting": "no",
    },
    "payment_app": {"state": "signed_on", "version": "7.4.1", "crashes_24h": 0},
    "system": {
        "storage_path": "/var/lib/posagent", "storage_free_mb": 3605, "storage_total_mb": 7019,
        "storage_limit_mb": 100, "storage_read_only": False, "reserve_kb": 448,
        "reserve_whole": True, "memory_available_mb": 420, "memory_total_mb": 985,
        "memory_limit_mb": 24, "memory_pressure_percent": 0.0, "memory_pressure_limit": 20.0,
        "uptime_s": 54291, "restarts_24h": 0, "restarts_limit": 3, "system_crashed": False,
        "power_cycles": 12, "running_hours": 1512, "battery_percent": 86, "temperature_c": 41,
    },
    "printer": {
        "online": True, "offline_reason": "", "paper": "ok", "cover_open": False,
        "cutter_fault": False, "overheated": False, "hardware_fault": False, "fault_kind": "",
        "feed_button": False, "waiting_recovery": False, "offline": False,
    },
    "fleet": {
        "connected": True, "endpoint": "mqtts://fleet.example:8883", "protocol": "5",
        "duplicate_id": False, "not_authorised": False, "outbox_lost": 0, "withheld": 0,
        "budget_step": "full", "budget_kb": 150, "spent_today_kb": 31, "spent_yesterday_kb": 57,
        "spent_is_estimate": False, "forged_recent": 0, "desired_rejected": False,
    },
    "scanner": {"connected": True, "reads": 1200, "no_reads": 31},
    "keypad": {"connected": True, "stuck_keys": 0, "dead_keys": 0, "chatter_keys": 0},
}  # fmt: skip

#: What moves, between values that differ by more than the hysteresis of its unit.
_MOVES: tuple[tuple[str, str, tuple[int, int, int]], ...] = (
    ("signal", "rsrp_dbm", (-95, -103, -88)),
    ("connectivity", "connect_ms", (140, 410, 980)),
    ("system", "battery_percent", (86, 79, 72)),
    ("system", "memory_available_mb", (420, 350, 280)),
)
#: Alarms of the day: code and minute; each is over five minutes later. Twenty events.
ALARMS: tuple[tuple[str, int], ...] = tuple(
    (code, 70 + 131 * number)
    for number, code in enumerate(
        (
            "printer.paper_low", "network.signal_weak", "printer.paper_out", "scanner.no_reads",
            "printer.cover_open", "network.dns_failed", "host.timeout", "printer.overheated",
            "system.memory_low", "keypad.stuck",
        )
    )
)  # fmt: skip
#: When the line breaks.
BREAKS = (187, 433, 812, 1_207)
QUARTERS = 96


def quarters() -> Iterator[dict[tuple[str, str], Value]]:
    """What the moving readings are at each quarter of an hour."""
    # Three values in turn: who looks once an hour sees other ones, too. One reading moves each
    # quarter, a second one every third, all four every twelfth.
    steps = [0] * len(_MOVES)
    for quarter in range(QUARTERS):
        for at in range(len(_MOVES)):
            first = at == quarter % len(_MOVES)
            second = at == (quarter + 1) % len(_MOVES) and quarter % 3 == 0
            if first or second or quarter % 12 == 0:
                steps[at] += 1
        yield {
            (component, name): values[steps[at] % 3]
            for at, (component, name, values) in enumerate(_MOVES)
        }


def flat() -> dict[str, Value]:
    """As a peer is given them: under our names, and only those we tell, too."""
    return {
        name: value
        for component, values in READINGS.items()
        for name, value in {f"{component}_{word}": one for word, one in values.items()}.items()
        if plain.worth_telling(name, value)
    }
