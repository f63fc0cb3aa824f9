"""`make packages`: the Debian packages built, judged and lived with; a table and a report.

Builds both packages twice (the same bytes?), asks lintian and `systemd-analyze security`, then
plays the scenes of `tests.packages.scenes`. Ends with 0 when all held and the control failed as it
must, with 1 when not, with 2 when nothing could be tried here.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.packages.root import RootError, made
from tests.packages.scenes import QUICK, SCENES, Stage

ROOT = Path(__file__).resolve().parents[2]
UNITS = ROOT / "packaging/systemd"
#: Tenths of systemd's scale from 0 to 10.
EXPOSURE = 15

Row = tuple[str, bool, float, str]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="tests.packages", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--quick", action="store_true", help="what every change must pass")
    parser.add_argument("--only", default="", help="scenes whose name contains this")
    parser.add_argument("--report", type=Path, help="write the figures there")
    given = parser.parse_args()
    names = [name for name in SCENES if given.only in name and (not given.quick or name in QUICK)]
    if given.only:
        names = [name for name in names if name != "extras"]
    try:
        base = made()
    except (RootError, OSError) as error:
        print(f"the packages could not be tried here: {error}", file=sys.stderr)
        return 2
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="posagent-packages-") as scratch:
        debs, rows = built(Path(scratch), quick=given.quick or bool(given.only))
        rows += [_timed("lintian", lambda: lintian(list(judged(debs))))]
        rows += [_timed("exposure", exposure)]
        stage = Stage(base=base, debs=debs)
        for name in names:
            rows.append(_timed(name, lambda name=name: SCENES[name](stage)))
    failed = [name for name, well, _, _ in rows if not well]
    print(f"{len(rows) - len(failed)} of {len(rows)} held, {time.monotonic() - began:.0f} s")
    if given.report and not given.only and not given.quick:
        given.report.write_text(report(rows), "utf-8")
    return 1 if failed else 0


def _timed(name: str, what: object) -> Row:
    began = time.monotonic()
    try:
        assert callable(what)
        well, said = True, str(what())
    except (AssertionError, OSError, subprocess.SubprocessError) as error:
        well, said = False, str(error) or type(error).__name__
    row = (name, well, time.monotonic() - began, said)
    print(f"{'ok ' if well else 'BAD'} {name} ({row[2]:.1f} s): {said}", flush=True)
    return row


def judged(debs: Mapping[str, Path]) -> Iterator[Path]:
    """The packages as they are shipped."""
    for name in ("first", "extras"):
        if name in debs:
            yield debs[name]


def built(scratch: Path, *, quick: bool) -> tuple[dict[str, Path], list[Row]]:
    """Every package the scenes need, by name; whether two builds are the same.

    Quick: without the extras and hardly packed, which is most of the time it takes.
    """
    bundles = {}
    for name, extra in (("base", []), ("full", ["--extra", "provision", "--extra", "slips"])):
        bundles[name] = scratch / name
        if quick and extra:
            continue
        # In the time the packages are of, where nobody names another.
        _made("bundle", "--arch", "amd64", *extra, "--out", str(bundles[name]), epoch=_epoch())
    common = ["--bundle", str(bundles["base"])]
    bare = [*common, "--fast", "--no-extras", "--no-man"]
    whole = [*common, "--fast", "--no-extras"]
    if not quick:
        whole = [*common, "--extras-bundle", str(bundles["full"])]
    debs: dict[str, Path] = {}
    for name, more in (
        ("first", [*whole, "--revision", "1"]),
        ("second", [*bare, "--revision", "2"]),
        ("older", [*bare, "--revision", "0"]),
        ("unguarded", [*bare, "--revision", "1", "--unguarded"]),
    ):
        _made("debian", *more, "--out", str(scratch / name))
        debs[name] = next((scratch / name).glob("posagent_*.deb"))
    if quick:
        return debs, [_timed("size", lambda: size(bundles["base"]))]
    debs["extras"] = next((scratch / "first").glob("posagent-extras_*.deb"))

    def same() -> str:
        """The bundles made anew elsewhere, the packages from them."""
        umask = os.umask(0o027)
        try:
            _made("debian", "--out", str(scratch / "twice"))
        finally:
            os.umask(umask)
        said = []
        for deb in judged(debs):
            other = scratch / "twice" / deb.name
            assert other.read_bytes() == deb.read_bytes(), f"{deb.name} differs between two builds"
            digest = hashlib.sha256(deb.read_bytes()).hexdigest()[:16]
            said.append(f"{deb.name} {deb.stat().st_size} bytes, sha256 {digest}…")
        return "; ".join(said)

    return debs, [_timed("same bytes", same), _timed("size", lambda: size(bundles["base"]))]


def size(base: Path) -> str:
    """What the package takes on the flash beside Python."""
    files = [path for path in base.rglob("*") if path.is_file() and not path.is_symlink()]
    taken = sum(-(-path.stat().st_size // 4096) * 4096 for path in files) / 1e6
    assert taken <= 30, f"{taken:.1f} MB"
    return f"{taken:.1f} MB in blocks of 4 KiB"


def _epoch() -> str:
    """The commit's time, as packaging/debian/build.py reads it by itself."""
    told = subprocess.run(
        ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    return os.environ.get("SOURCE_DATE_EPOCH") or told.stdout.strip()


def _made(builder: str, *words: str, epoch: str = "") -> None:
    command = [sys.executable, str(ROOT / f"packaging/{builder}/build.py"), *words]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": epoch} if epoch else None
    done = subprocess.run(
        command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{builder}: {done.stdout}{done.stderr}")


def lintian(debs: Sequence[Path]) -> str:
    """Nothing but what the overrides name, with their reasons."""
    if shutil.which("lintian") is None:
        raise AssertionError("lintian is not installed (packaging/ci/packages.sh)")
    command = ["lintian", "--allow-root", "--no-tag-display-limit", "--fail-on", "error,warning"]
    done = subprocess.run([*command, *map(str, debs)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return "clean"


def exposure() -> str:
    """The daemon's unit under the threshold; a unit without its sandbox is over it."""
    told = _judged(UNITS / "posagent.service")
    assert told[0] == 0, told[1]
    with tempfile.TemporaryDirectory() as scratch:
        bare = Path(scratch) / "posagent.service"
        lines = (UNITS / "posagent.service").read_text("utf-8").splitlines(keepends=True)
        bare.write_text("".join(one for one in lines if not one.startswith("SystemCallFilter")))
        assert _judged(bare)[0] != 0, "a unit without its filter passes as well"
    return told[1]


def _judged(unit: Path) -> tuple[int, str]:
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE}"]
    done = subprocess.run(
        [*command, "--no-pager", str(unit)], check=False, capture_output=True, text=True
    )
    return done.returncode, (done.stdout.strip().splitlines() or [done.stderr.strip()])[-1]


def report(rows: Sequence[Row]) -> str:
    """The table of docs/reports/debian.md."""
    lines = [
        "# Debian packages",
        "",
        "Written by `python -m tests.packages`; not to be edited.",
        "",
        "| what | held | seconds | seen |",
        "|---|---|---|---|",
    ]
    for name, well, seconds, said in rows:
        text = " ".join(said.split())[:300].replace("|", "\\|")
        lines.append(f"| {name} | {'yes' if well else '**NO**'} | {seconds:.1f} | {text} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
