"""The bundle's builder and the start of what it makes, with small wheels made here.

The launchers, the refusals and the interpreters are the real ones.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "packaging" / "bundle" / "build.py"
MINOR = "{}.{}".format(*sys.version_info[:2])
TAG = str(sysconfig.get_config_var("SOABI"))
INTERPRETER = os.path.realpath(Path(sys.base_prefix) / "bin" / f"python{MINOR}")
NAMES = ("h11", "jeepney", "msgspec", "paho-mqtt", "pyiso8583", "pynacl", "pyserial")
AGENT = {
    "agent/__init__.py": "",
    "agent/__main__.py": (
        "import json, sys\n"
        "import agent\n"
        "def main():\n"
        "    if '--version' in sys.argv:\n"
        "        print('posagent 1.0')\n"
        "        return 0\n"
        "    print(json.dumps([sys.argv, sys.executable, agent.__file__, sys.flags.isolated]))\n"
        "    return 3\n"
    ),
    "agent/sim/__init__.py": "",
    "agent/fleet/line.py": "",
    "agent/cli/fleet_watch.py": "",
    "agent/cli/sim.py": "",
    "agent/cli/why.py": "SETS = {'b', 'a', 'c'}\n",
}

pytestmark = pytest.mark.skipif(
    "x86_64-linux-gnu" not in TAG, reason="the bundle built here is one for amd64"
)


def wheel(folder: Path, name: str, files: dict[str, str], tag: str = "py3-none-any") -> Path:
    """A wheel of version 1."""
    plain = name.replace("-", "_")
    path = folder / f"{plain}-1-{tag}.whl"
    told = {f"{plain}-1.dist-info/METADATA": f"Name: {name}\nVersion: 1\n"}
    told[f"{plain}-1.dist-info/licenses/LICENSE"] = "free\n"
    with zipfile.ZipFile(path, "w") as made:
        for place, text in {**files, **told}.items():
            made.writestr(place, text)
    return path


def locked(folder: Path, names: tuple[str, ...] = NAMES) -> Path:
    """A lock of the wheels in `folder`."""
    lines = []
    for name in names:
        found = sorted(folder.glob(f"{name.replace('-', '_')}-1-*.whl"))
        lines += [f"{name}==1 \\"]
        lines += [f"    --hash=sha256:{hashlib.sha256(p.read_bytes()).hexdigest()}" for p in found]
        lines += ["    # via posagent (pyproject.toml)"]
    lock = folder / "lock.txt"
    lock.write_text("\n".join(lines) + "\n", "utf-8")
    return lock


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """Wheels for every dependency, a lock of them, and the agent's own."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name in NAMES:
        wheel(folder, name, {f"{name.replace('-', '_')}_of_test/__init__.py": "x = 1\n"})
    locked(folder)
    own = tmp_path / "own"
    own.mkdir()
    wheel(own, "posagent", AGENT)
    return folder


def build(shelf: Path, out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BUILD), "--offline", "--unstripped", "--python", MINOR]
    command += ["--lock", str(shelf / "lock.txt"), "--wheels", str(shelf), "--out", str(out)]
    command += ["--own-wheel", str(shelf.parent / "own" / "posagent-1-py3-none-any.whl")]
    command += ["--python-link", INTERPRETER, "--compiler", sys.executable, *more]
    environment = {**os.environ, "POSAGENT_BUNDLE_CACHE": str(shelf.parent / "cache")}
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environment)


def called(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *arguments], check=False, capture_output=True, text=True)


@pytest.fixture
def bundle(shelf: Path, tmp_path: Path) -> Path:
    """A bundle, as the build left it."""
    out = tmp_path / "bundle"
    done = build(shelf, out)
    assert done.returncode == 0, done.stderr
    assert "start:" in done.stdout
    assert "ms for `posagent --version`" in done.stdout
    return out


def test_it_runs_where_it_is_put_and_through_links(bundle: Path, tmp_path: Path) -> None:
    """Moved and called through two links, it is its own interpreter's environment."""
    moved = tmp_path / "else where"
    bundle.rename(moved)
    (tmp_path / "one").symlink_to(moved / "bin" / "posagent")
    (tmp_path / "two").symlink_to("one")
    done = called(tmp_path / "two", "status", "a b")
    assert done.returncode == 3, done.stderr
    argv, executable, package, isolated = json.loads(done.stdout)
    assert argv == ["posagent", "status", "a b"]
    assert executable == str(moved / "bin" / "python")
    assert package.startswith(str(moved / "lib"))
    assert isolated == 1


def test_two_builds_are_the_same(shelf: Path, tmp_path: Path) -> None:
    """The archive of one build is the archive of the other, byte for byte."""
    archives = []
    for name in ("one", "two"):
        done = build(shelf, tmp_path / name / "posagent", "--tar")
        assert done.returncode == 0, done.stderr
        archives.append((tmp_path / name / "posagent.tar.gz").read_bytes())
    assert archives[0] == archives[1]
    assert len(archives[0]) > 1000


def test_a_terminal_gets_no_simulators(bundle: Path) -> None:
    """What belongs on a developer's or an operator's computer stays there."""
    agent = bundle / "lib" / f"python{MINOR}" / "site-packages" / "agent"
    assert (agent / "cli" / "why.py").exists()
    assert (agent / "cli" / "__pycache__" / f"why.cpython-{MINOR.replace('.', '')}.pyc").exists()
    for name in ("sim", "fleet", "cli/sim.py", "cli/fleet_watch.py"):
        assert not (agent / name).exists()


def test_the_manifest_finds_a_changed_file(bundle: Path) -> None:
    """--verify is silent about an untouched bundle and names what was touched."""
    command = [sys.executable, str(BUILD), "--verify", str(bundle)]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    (bundle / "start.py").write_text("", "utf-8")
    (bundle / "more").write_text("", "utf-8")
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "start.py: changed" in done.stdout
    assert "more: not in the manifest" in done.stdout


def test_a_missing_interpreter_is_named(bundle: Path) -> None:
    """An image without that Python hears which one, in both languages."""
    (bundle / "bin" / "python").unlink()
    (bundle / "bin" / "python").symlink_to("/usr/bin/python-that-is-not")
    done = called(bundle / "bin" / "posagent")
    assert done.returncode == 78
    assert "/usr/bin/python-that-is-not" in done.stderr
    assert f"needed is Python {MINOR} with the tag {TAG}" in done.stderr
    assert "处理办法" in done.stderr


def other_interpreters() -> list[Path]:
    """Pythons of other minor versions on this machine."""
    found = {}
    for minor in (6, 8, 9, 10, 11, 12, 13):
        name = f"python3.{minor}"
        places = [Path("/usr/bin"), *Path.home().glob(f".pyenv/versions/3.{minor}.*/bin")]
        for place in places:
            if minor != sys.version_info[1] and (place / name).exists():
                found[name] = place / name
    return [found[name] for name in sorted(found)]


def test_another_python_is_refused(bundle: Path) -> None:
    """A real interpreter of another version: found and needed tag, and what to do."""
    others = other_interpreters()
    if not others:
        pytest.skip("no other Python on this machine")
    for other in others:
        (bundle / "bin" / "python").unlink()
        (bundle / "bin" / "python").symlink_to(other)
        done = called(bundle / "bin" / "posagent-actions")
        assert done.returncode == 78, done.stderr
        assert done.stdout == ""
        version = other.name.removeprefix("python")
        assert f"is for Python {MINOR} with the tag {TAG}" in done.stderr
        assert f"is Python {version} with the tag cpython-{version.replace('.', '')}" in done.stderr
        assert "what to do:" in done.stderr
        assert "处理办法" in done.stderr


def test_another_c_library_is_refused(shelf: Path, tmp_path: Path) -> None:
    """A bundle for musl under this interpreter of glibc names both."""
    out = tmp_path / "musl"
    build(shelf, out, "--libc", "musl")
    done = called(out / "bin" / "posagent")
    assert done.returncode == 78
    assert f"cpython-{MINOR.replace('.', '')}-x86_64-linux-musl" in done.stderr
    assert f"with the tag {TAG}" in done.stderr


def test_a_newer_glibc_than_there_is_is_refused(bundle: Path) -> None:
    """The compiled parts' glibc is looked at before they fail to load."""
    start = bundle / "start.py"
    text = start.read_text("utf-8")
    assert '"glibc": ""' in text
    start.write_text(text.replace('"glibc": ""', '"glibc": "99.1"'), "utf-8")
    done = called(bundle / "bin" / "posagent")
    assert done.returncode == 78
    assert "needs glibc 99.1 or newer, and found 2." in done.stderr


def test_a_library_of_another_python_is_refused(bundle: Path) -> None:
    """bin/python and the home in pyvenv.cfg that do not belong together."""
    settings = bundle / "pyvenv.cfg"
    home = f"home = {Path(INTERPRETER).parent}"
    assert home in settings.read_text("utf-8")
    elsewhere = bundle.parent / "elsewhere"
    elsewhere.mkdir()
    shutil.copy("/bin/true", elsewhere / f"python{MINOR}")
    # The library is found next to the interpreter's real place, and so it starts at all.
    (elsewhere.parent / "lib").symlink_to(Path(sys.base_prefix) / "lib")
    settings.write_text(settings.read_text("utf-8").replace(home, f"home = {elsewhere}"), "utf-8")
    done = called(bundle / "bin" / "posagent")
    assert done.returncode == 78, done.stderr
    assert f"write `home = {Path(INTERPRETER).parent}`" in done.stderr


def test_a_wheel_that_is_not_locked_is_refused(shelf: Path, tmp_path: Path) -> None:
    """Same name, same version, other bytes: no bundle."""
    wheel(shelf, "h11", {"h11_of_test/__init__.py": "x = 2\n"})
    done = build(shelf, tmp_path / "bundle")
    assert done.returncode == 2
    assert "is not the locked h11 1" in done.stderr
    assert not (tmp_path / "bundle").exists()


def test_a_wheel_built_from_a_locked_source_is_taken(shelf: Path, tmp_path: Path) -> None:
    """What packaging/wheels/build.py wrote down counts as the lock's word, for those bytes."""
    source = hashlib.sha256(b"source").hexdigest()
    lock = shelf / "lock.txt"
    made = wheel(shelf, "h11", {"h11_of_test/__init__.py": "x = 2\n"})
    sha256 = hashlib.sha256(made.read_bytes()).hexdigest()
    record = {made.name: {"sha256": sha256, "source_sha256": source}}
    (shelf / "built.json").write_text(json.dumps(record), "utf-8")
    assert build(shelf, tmp_path / "bundle").returncode == 2  # a source the lock does not know
    lines = lock.read_text("utf-8").replace("h11==1 \\", f"h11==1 \\\n    --hash=sha256:{source}")
    lock.write_text(lines, "utf-8")
    build(shelf, tmp_path / "bundle")
    told = json.loads((tmp_path / "bundle" / "MANIFEST.json").read_text("utf-8"))
    parts = {part["name"]: part for part in told["wheels"]}
    assert parts["h11"]["built_from_sha256"] == source
    assert parts["h11"]["sha256"] == sha256


def test_a_missing_wheel_says_how_to_build_it(shelf: Path, tmp_path: Path) -> None:
    """No wheel for the target: which one, and the command."""
    (shelf / "msgspec-1-py3-none-any.whl").unlink()
    done = build(shelf, tmp_path / "bundle")
    assert done.returncode == 2
    assert "msgspec 1" in done.stderr
    assert "packaging/wheels/build.py --arch amd64" in done.stderr


def test_compiled_files_of_another_machine_are_refused(shelf: Path, tmp_path: Path) -> None:
    """A wheel's name is not believed: its compiled files are looked at."""
    own = Path(INTERPRETER).read_bytes()
    arm = bytearray(own[:4096])
    arm[18:20] = (183).to_bytes(2, "little")
    arm[60:62] = (0).to_bytes(2, "little")
    with zipfile.ZipFile(shelf / "h11-1-py3-none-any.whl", "a") as made:
        made.writestr("h11_of_test/fast.so", bytes(arm))
    locked(shelf)
    done = build(shelf, tmp_path / "bundle")
    assert done.returncode == 2
    assert "h11_of_test/fast.so is compiled for another machine than amd64" in done.stderr


def test_a_folder_of_somebody_else_is_left_alone(shelf: Path, tmp_path: Path) -> None:
    """--out replaces a bundle and nothing else."""
    out = tmp_path / "precious"
    out.mkdir()
    (out / "file").write_text("mine", "utf-8")
    done = build(shelf, out)
    assert done.returncode == 2
    assert "nothing of it was touched" in done.stderr
    assert (out / "file").read_text("utf-8") == "mine"
