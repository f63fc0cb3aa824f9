"""What the keys of [[channel]] and [channels] are for. A part of `agent.cli.config_reference`."""

from __future__ import annotations

from collections.abc import Mapping

MEANINGS: Mapping[str, str] = {
    "channel.name": "What it is called in status, alarms and the hook `network.select`.",
    "channel.kind": "What it is, for people.",
    "channel.interface": "Its interface, or a glob such as `wwan*`; empty only with `select`.",
    "channel.metered": "Paid by volume: as a backup it carries money and alarms, readings wait.",
    "channel.resolvers": "Addresses of its name servers; empty: those its network named.",
    "channel.probe": "host:port tried to see whether it carries; empty: hosts and broker.",
    "channel.select": "The firmware switches: `network.select` is asked before it is used.",
    "channels.failures": "Failed contacts in a row, none held in between, that prove a break.",
    "channels.grace_s": "How long a backup may take to prove itself before it is used unproven.",
    "channels.quiet_s": "How long a better channel is well before it is used again; doubles with "
    "each relapse.",
    "channels.quiet_max_s": "Longest of those times.",
    "channels.calm_s": "A break so long after the return is no relapse.",
    "channels.probe_s": "Between two probes of a better or broken channel.",
    "channels.recheck_s": "Between two probes of a channel in doubt.",
    "channels.spare_probe_s": "Between two probes of a backup nobody needs; 0: never.",
    "channels.probe_timeout_s": "How long one probe may take.",
    "channels.doubt_after_s": "A connection or an answer that takes longer raises a doubt.",
    "channels.select_timeout_s": "How long the firmware may take to switch.",
}
