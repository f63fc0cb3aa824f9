"""The meanings of [payment_app], [configuration] and [[settings_file]] for the key table."""

from __future__ import annotations

from collections.abc import Mapping

TABLES: Mapping[str, str] = {
    "[payment_app]": "The payment app as a program: what finds it, and when it is started again. "
    "Nothing that finds it: only what it reports is watched. docs/operations/payment-app.md.",
    "[configuration]": "The terminal's settings against the profile it was issued. "
    "docs/operations/configuration-watch.md has the profile's form.",
    "[[settings_file]]": "One file with settings of the terminal, such as the payment app exports.",
}

MEANINGS: Mapping[str, str] = {
    "payment_app.name": "What it is called for people and for the hook `app.restart`.",
    "payment_app.process": "Name of its program.",
    "payment_app.cmdline": "Part of its command line, where the program is an interpreter.",
    "payment_app.package": "Its Android package.",
    "payment_app.pid_file": "File with its process number.",
    "payment_app.unit": "Its systemd unit, such as pay.service.",
    "payment_app.version_file": "Its version, on the first line; empty: as it says itself.",
    "payment_app.period_s": "How often it is looked at; its end is known at once all the same.",
    "payment_app.start_grace_s": "How long it may take to start after the agent did.",
    "payment_app.heartbeat_s": "Alive without a call for longer: it hangs; 0: not watched.",
    "payment_app.crash_limit": "Ends within 24 h from which on it keeps crashing.",
    "payment_app.restart": "When the hook `app.restart` is asked; empty: never.",
    "payment_app.restart_wait_s": "Before a restart; doubles with each of the last 24 h.",
    "payment_app.restart_wait_max_s": "Bound of that wait.",
    "payment_app.restart_daily": "Restarts asked for in 24 h at most.",
    "payment_app.quiet_s": "No restart this soon after its last call.",
    "payment_app.pause_file": "While this file is there it is not restarted: for technicians.",
    "configuration.profile": "The issued profile, JSON or TOML; empty: nothing to compare with.",
    "configuration.profile_keys": "Key id -> Ed25519 public key of those who may issue it; any: "
    "an unsigned profile is refused.",
    "configuration.period_s": "How often all is compared.",
    "configuration.credentials": "Further certificates, keys and tokens that must be there.",
    "configuration.access": "Further files and devices the agent must be able to use.",
    "configuration.expiry_warn_days": "A credential that expires sooner is told beforehand.",
    "settings_file.path": "The file.",
    "settings_file.format": "Its format; auto: by its name, or else by how it begins.",
    "settings_file.encoding": "Its encoding; auto: UTF-8, or else GB18030.",
    "settings_file.amounts": "What an amount without a decimal point is in: fen or yuan.",
    "settings_file.settings": "Setting -> its place in the file, such as merchant.mid or "
    "terminal@id; empty: the profile's names.",
}

EXAMPLES: Mapping[str, str] = {
    "settings_file.path": '"/data/pay/export.json"',
    "settings_file.settings": '{ merchant_id = "merchant.mid" }',
}
