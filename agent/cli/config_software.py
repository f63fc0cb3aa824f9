"""What the keys of [software] and [[component]] are for. A part of `agent.cli.config_reference`."""

from __future__ import annotations

from collections.abc import Mapping

TABLES: Mapping[str, str] = {
    "[software]": "What is installed against what should be, whose word counts on that, and when "
    "updates may go. docs/operations/software.md.",
    "[[component]]": "One piece of software whose version is read; agent, os and kernel always "
    "are.",
}

MEANINGS: Mapping[str, str] = {
    "software.manifest": "File naming required versions: a signed manifest, or unsigned JSON or "
    "TOML; empty: none.",
    "software.period_s": "How often it is looked whether something changed; files are read again "
    "only then.",
    "software.keys": "Key id = Ed25519 public key in hexadecimal of whoever may sign manifests.",
    "software.require_signature": "Whether unsigned manifests are refused; unset: as soon as "
    "there are keys.",
    "software.model": "Model of this terminal as manifests name it.",
    "software.groups": "Groups this terminal belongs to.",
    "software.channel": "Channel of releases it follows, such as stable.",
    "software.auto_update": "Updates of the manifest in force begin by themselves.",
    "software.update_hours": "Local hours in which an update may begin; empty: at any hour.",
    "software.update_unsent_max": "An update waits while more payments than this are unsent, or "
    "the outcome of any is unknown.",
    "software.update_unsent_age_s": "It waits, too, while the oldest of them is older; 0: any age.",
    "software.update_unsent": "What unsent money does to an update: wait, refuse (given up at "
    "once) or allow (it stays in the journal, which every update carries over).",
    "software.update_unsent_wait_s": "Longer than this an update does not wait for money but is "
    "given up; 0: for ever.",
    "software.update_battery_percent": "Below this charge it waits for the charger.",
    "software.commit_after_s": "A new version is kept once all was well for so long.",
    "software.rollback_after_s": "It is taken back when it is still not well after so long.",
    "component.name": "What manifests, texts and the API call it.",
    "component.installed_by": "Where its version is read: a package manager's list, a file, a "
    "file's SHA-256, a kernel module, Android, or the vendor's hooks.",
    "component.package": "Package, module or property; empty: as the component.",
    "component.path": "file, hash: the file; python: the site-packages directory.",
    "component.field": "file: the name before the version in it; empty: its first line.",
    "component.scheme": "How its versions are counted; empty: as dpkg does.",
}

EXAMPLES: Mapping[str, str] = {
    "component.name": '"payment-app"',
    "component.installed_by": '"dpkg"',
    "software.require_signature": "true",
}
