"""The vendor's key, and what he signs with it, by the command the example hooks name."""

from __future__ import annotations

import atexit
import functools
import shutil
import subprocess
import tempfile
from pathlib import Path


def signed(file: Path) -> Path:
    """`file`, with the vendor's signature beside it."""
    beside = file.with_name(f"{file.name}.sig")
    _openssl(
        "dgst", "-sha256", "-sign", str(_keys() / "vendor.key"), "-out", str(beside), str(file)
    )
    return file


def known_in(hooks: Path) -> None:
    """The hooks in this folder ask for signatures of this vendor."""
    pem = hooks / ".update.pub.pem"
    _openssl("pkey", "-in", str(_keys() / "vendor.key"), "-pubout", "-out", str(pem))
    with (hooks / ".vendor.sh").open("a") as vendor:
        vendor.write(f"KEY={pem}\n")


@functools.cache
def _keys() -> Path:
    home = Path(tempfile.mkdtemp(prefix="pa-vendor-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    of = ("-pkeyopt", "ec_paramgen_curve:P-256")
    _openssl("genpkey", "-algorithm", "EC", *of, "-out", str(home / "vendor.key"))
    return home


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
