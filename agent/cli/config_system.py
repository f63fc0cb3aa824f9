"""What the keys of [system], [clock] and [[aging]] are for, for `agent.cli.config_reference`."""

from __future__ import annotations

from collections.abc import Mapping

TABLES: Mapping[str, str] = {
    "[system]": "Storage, memory, temperature, battery and restarts of the terminal.",
    "[clock]": "What the terminal's clock is held against. docs/operations/clock-and-system.md.",
    "[[aging]]": "A counter against the maker's limit; repeat the table for more.",
}

MEANINGS: Mapping[str, str] = {
    "agent.watchdog_s": "Ended after so long without moving, 15 s at least, where no systemd sees "
    "to it (Android, SysV); 0: never.",
    "system.period_s": "How often the terminal is measured.",
    "system.storage_path": "File system to watch; empty: that of state_dir.",
    "system.mounts": "Further mount points to watch; images and what is not mounted are left out.",
    "system.storage_low_mb": "Free storage below this is an alarm.",
    "system.wear_percent": "Flash used up this far of its rated life is an alarm.",
    "system.memory_low_mb": "Available memory below this is an alarm.",
    "system.memory_pressure_percent": "Everything standing still for want of memory this much of "
    "a minute is an alarm.",
    "system.temperature_max_c": "Temperature above this is an alarm.",
    "system.battery_low_percent": "Battery charge below this is an alarm.",
    "system.restarts_limit": "Unexpected restarts within 24 h that are an alarm.",
    "system.root": "Where /proc and /sys are looked for.",
    "clock.sources": "Who is heard about the time: the kernel's NTP state, headers Date of hosts, "
    "fields 12 and 13 of acquirers, a broker's user property.",
    "clock.wrong_after_s": "Off by more than this, the clock is wrong.",
    "clock.zone_minutes": "Zone of fields 12 and 13, minutes east of UTC.",
    "clock.chip": "Whether a battery keeps the clock while the power is off; auto: as "
    "/sys/class/rtc shows. Without one, after a restart a request with a time limit waits until "
    "somebody whose word counts has said the time, and nothing in doubt is sent again before.",
    "clock.ask_hosts": "Whether an https host whose certificate's dates do not fit is asked for "
    "the time.",
    "clock.broker_property": "User property in which the MQTT 5 broker tells UTC; empty: none.",
    "aging.measure": "What people call it, with its unit.",
    "aging.source": "COMPONENT.VALUE of a reading, such as printer.printed_mm, printer.cuts, "
    "system.running_hours, system.power_cycles, system.battery_cycles.",
    "aging.limit": "The maker's limit, in that unit.",
    "aging.scale": "The value times this is in that unit.",
    "aging.kind": "counter: added up over exchanged parts; level: as it is.",
}

#: For what must be given; the aging of a print head, in metres of paper.
EXAMPLES: Mapping[str, str] = {
    "aging.measure": '"printed paper (m)"',
    "aging.source": '"printer.printed_mm"',
    "aging.limit": "50000.0",
    "aging.scale": "0.001",
}
