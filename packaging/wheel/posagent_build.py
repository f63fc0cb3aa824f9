"""The project's build backend: setuptools, and then a wheel that is the same wherever it is built.

Decides nothing about what the wheel holds; adds the list of parts (PEP 770,
`*.dist-info/sboms/`) and packs the files again in one order, with one time (SOURCE_DATE_EPOCH, or
the first moment a zip can hold), one mode and one way of compressing. Called by pip through
`[build-system]` of pyproject.toml.
"""

from __future__ import annotations

import base64
import hashlib
import os
import pathlib
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

from setuptools import build_meta
from setuptools.build_meta import (  # noqa: F401 -- the backend's other hooks are setuptools' own
    build_editable,
    build_sdist,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "packaging" / "sbom"))

#: Zip files know no earlier time.
FIRST = (1980, 1, 1, 0, 0, 0)


@contextmanager
def folders_of_its_own() -> Iterator[None]:
    """setuptools leaves `build/` and `*.egg-info` in the tree, and takes up what lies there from
    another day: two builds would differ, and two at a time disturb each other."""
    with tempfile.TemporaryDirectory(prefix="posagent-build-") as name:
        more = pathlib.Path(name) / "extra.cfg"
        more.write_text(f"[build]\nbuild_base = {name}\n[egg_info]\negg_base = {name}\n")
        before = os.environ.get("DIST_EXTRA_CONFIG")
        os.environ["DIST_EXTRA_CONFIG"] = str(more)
        try:
            yield
        finally:
            if before is None:
                del os.environ["DIST_EXTRA_CONFIG"]
            else:
                os.environ["DIST_EXTRA_CONFIG"] = before


def moment() -> tuple[int, int, int, int, int, int]:
    """The time every file of the wheel carries."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not epoch:
        return FIRST
    return max(time.gmtime(int(epoch))[:6], FIRST)


def recorded(name: str, content: bytes) -> str:
    """One line of RECORD."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(content)}\n"


def packed_again(wheel: pathlib.Path, more: dict[str, bytes]) -> None:
    """`wheel`, with `more` in its dist-info, in the one form."""
    with zipfile.ZipFile(wheel) as held:
        files = {name: held.read(name) for name in held.namelist() if not name.endswith("/")}
    record = next(name for name in files if name.endswith(".dist-info/RECORD"))
    folder = record.removesuffix("RECORD")
    del files[record]
    files |= {folder + name: content for name, content in more.items()}
    # The dist-info last, as the format recommends, RECORD at the very end.
    order = sorted(files, key=lambda name: (name.startswith(folder), name))
    files[record] = "".join([*(recorded(n, files[n]) for n in order), f"{record},,\n"]).encode()
    when = moment()
    with zipfile.ZipFile(wheel, "w") as made:
        for name in [*order, record]:
            entry = zipfile.ZipInfo(name, when)
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            made.writestr(entry, files[name], zipfile.ZIP_DEFLATED, 9)


def build_wheel(
    wheel_directory: str,
    config_settings: dict[str, str | list[str] | None] | None = None,
    metadata_directory: str | None = None,
) -> str:
    """PEP 517."""
    import generate

    with folders_of_its_own():
        name = build_meta.build_wheel(wheel_directory, config_settings, metadata_directory)
    parts = generate.text(
        generate.listed(ROOT, epoch=os.environ.get("SOURCE_DATE_EPOCH", ""))
    ).encode()
    packed_again(pathlib.Path(wheel_directory) / name, {"sboms/posagent.cdx.json": parts})
    return name
