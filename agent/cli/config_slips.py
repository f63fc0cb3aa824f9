"""What the keys of [printer] are for that slips depend on; see `config_reference`."""

from __future__ import annotations

from collections.abc import Mapping

MEANINGS: Mapping[str, str] = {
    "printer.share": "exclusive: asked by the agent alone; pass_through: never opened, the payment "
    "app reports what it got; off: never opened, only its presence is watched.",
    "printer.print": "How slips are printed, on request only: by the agent on `device`, by the "
    "vendor's `print` hook, or not at all. docs/slips.md.",
    "printer.columns": "Columns of its paper: 32 for 58 mm, 48 for 80 mm.",
    "printer.cut": "Whether a slip is cut off; auto: on 80 mm paper.",
    "printer.qr": "Who draws QR codes: the printer (GS ( k), or the agent as an image.",
    "printer.reset": "Send ESC @ before a slip: only where the payment app sets all it needs for "
    "each receipt.",
    "printer.ascii_mode": "The printer stands in ASCII mode between receipts: FS . is sent after a "
    "slip.",
}
