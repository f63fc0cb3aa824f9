"""Where versions are read: package lists, files, modules, Android, hooks – and odd ones of each."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.core.software.standing import Installed
from agent.core.software.versions import Scheme
from agent.watch.software.files import Files
from agent.watch.software.packages import Packages
from agent.watch.software.sources import Place, Sources

HERE = "Package: a\nStatus: install ok installed\nVersion: 1:1.2-3\n"
DPKG = f"{HERE}\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 9\n"
OPKG = "Package: a\nVersion: 1.2-r0\nStatus: install user installed\nArchitecture: all\n\n"
APK = "C:Q1x\nP:a\nV:1.2-r3\nA:x86\n\nP:b\nV:2\n\n"


def put(root: Path, place: str, text: str) -> Path:
    path = root / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def read(root: Path, component: str = "a", **more: str) -> Installed:
    return Sources(root).read([Place(component=component, **more)])[component]


@pytest.mark.parametrize(
    ("manager", "place", "text", "version"),
    [
        ("dpkg", "var/lib/dpkg/status", DPKG, "1:1.2-3"),
        ("opkg", "usr/lib/opkg/status", OPKG, "1.2-r0"),
        ("opkg", "var/lib/opkg/status", OPKG, "1.2-r0"),
        ("apk", "lib/apk/db/installed", APK, "1.2-r3"),
    ],
)
def test_package_lists(tmp_path: Path, manager: str, place: str, text: str, version: str) -> None:
    """The installed version; not there is told apart from no list to read."""
    assert read(tmp_path, installed_by=manager).told is False
    put(tmp_path, place, text)
    found = read(tmp_path, installed_by=manager)
    assert (found.version, found.told) == (version, True)
    assert found.changed_ms is not None
    assert read(tmp_path, "gone", installed_by=manager) == Installed(
        version="", changed_ms=found.changed_ms
    )


def test_a_list_cut_short_tells_what_is_in_it(tmp_path: Path) -> None:
    """Without the blank line behind the last entry."""
    put(tmp_path, "var/lib/dpkg/status", HERE)
    put(tmp_path, "lib/apk/db/installed", "P:a\nV:1")
    assert read(tmp_path, installed_by="dpkg").version == "1:1.2-3"
    assert read(tmp_path, installed_by="apk").version == "1"


def test_files_are_read_again_only_when_they_are_others(tmp_path: Path) -> None:
    """One stat each time; an exchange in the same second with the same size is noticed too."""
    path = put(tmp_path, "opt/V", "1.0\n")
    sources = Sources(tmp_path)
    places = [Place(component="a", installed_by="file", path="/opt/V")]
    assert sources.read(places)["a"].version == "1.0"
    reads = sources.files.reads
    assert sources.read(places)["a"].version == "1.0"
    assert sources.files.reads == reads
    other = put(tmp_path, "opt/V.new", "2.0\n")
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)
    assert sources.read(places)["a"].version == "2.0"
    path.unlink()
    gone = sources.read(places)["a"]
    assert (gone.told, "No such file" in gone.why) == (False, True)


@pytest.mark.parametrize(
    ("text", "key", "version"),
    [
        ("7.1\nmore", "", "7.1"),
        ("# x\nversion=7.1\n", "version", "7.1"),
        ("  Version : 7.1 \n", "Version", "7.1"),
        ('{"name": "p", "version": "7.1"}', "version", "7.1"),
        ('{"subversion":"9","version":"7.1"}', "version", "7.1"),
        ("<version>7.1</version>", "version", "7.1"),
        ("a.b = '7.1'", "a.b", "7.1"),
    ],
)
def test_a_version_inside_a_file(tmp_path: Path, text: str, key: str, version: str) -> None:
    """The first line, or behind a name in whatever form the vendor writes."""
    put(tmp_path, "params", text)
    assert read(tmp_path, installed_by="file", path="/params", key=key).version == version


def test_what_is_not_in_the_file_is_said(tmp_path: Path) -> None:
    """Not told, and why; a directory or a file nobody may read neither."""
    put(tmp_path, "params", "x=1")
    found = read(tmp_path, installed_by="file", path="/params", key="version")
    assert (found.told, found.why.endswith("there is no version in it")) == (False, True)
    assert read(tmp_path, installed_by="file", path="/").told is False


def test_a_hash_is_only_the_same_or_not(tmp_path: Path) -> None:
    """Of small files."""
    path = put(tmp_path, "params", "x")
    found = read(tmp_path, installed_by="hash", path="/params")
    assert found.version.startswith("2d711642b726b044")
    assert found.scheme is Scheme.OPAQUE
    os.truncate(path, 9_000_000)
    assert "more than" in read(tmp_path, installed_by="hash", path="/params").why


def test_drivers(tmp_path: Path) -> None:
    """Their own version, else the fingerprint of their source; a name that is a path is none."""
    put(tmp_path, "sys/module/pin_pad/version", "1.4\n")
    put(tmp_path, "sys/module/lamp/srcversion", "ABCDEF\n")
    (tmp_path / "sys/module/mute").mkdir()
    assert read(tmp_path, "pin-pad", installed_by="module").version == "1.4"
    lamp = read(tmp_path, "lamp", installed_by="module")
    assert (lamp.version, lamp.scheme) == ("ABCDEF", Scheme.OPAQUE)
    assert read(tmp_path, "mute", installed_by="module").told is False
    assert read(tmp_path, "gone", installed_by="module") == Installed(
        version="", scheme=Scheme.DOTTED
    )
    assert read(tmp_path, "x", installed_by="module", package="../x").told is False


def test_python_distributions(tmp_path: Path) -> None:
    """By the name of their dist-info, however the package spells itself."""
    (tmp_path / "site/Acme_Pay-2.0rc1.dist-info").mkdir(parents=True)
    found = read(tmp_path, "acme.pay", installed_by="python", path="/site")
    assert (found.version, found.scheme) == ("2.0rc1", Scheme.PYTHON)
    assert read(tmp_path, "other", installed_by="python", path="/site").version == ""
    assert read(tmp_path, "other", installed_by="python", path="/none").told is False


class Phone:
    def property(self, name: str) -> str | None:
        return {"ro.build.display.id": "A8-12.3", "ro.fw": "77"}.get(name, "")

    def package_version(self, package: str) -> str | None:
        return {"com.acme": "5.1"}.get(package)


def test_android_tells_packages_and_properties(tmp_path: Path) -> None:
    """And the operating system; what it does not tell is not told."""
    sources = Sources(tmp_path, android=Phone())
    found = sources.read(
        [
            Place(component="pay", installed_by="android", package="com.acme"),
            Place(component="other", installed_by="android"),
            Place(component="fw", installed_by="property", package="ro.fw"),
        ]
    )
    told = {name: one.version for name, one in found.items() if name not in ("agent", "kernel")}
    assert told == {
        "pay": "5.1", "other": "", "fw": "77", "os": "A8-12.3",
    }  # fmt: skip
    assert (found["other"].told, found["other"].why) == (False, "android does not tell other")
    assert sources.os_name() == "A8-12.3"
    assert read(tmp_path, installed_by="android").told is False


def test_hooks_tell_what_the_vendor_knows(tmp_path: Path) -> None:
    """None at all: not told; a name they do not know is not installed."""
    sources = Sources(tmp_path)
    places = [Place(component="fw", installed_by="hook", package="firmware")]
    assert sources.read(places)["fw"].told is False
    sources.hooks = lambda: {"firmware": "8.8"}
    assert sources.read(places)["fw"].version == "8.8"
    sources.hooks = dict
    assert sources.read(places)["fw"] == Installed(version="")


def test_rpm_is_asked_once_for_a_database(tmp_path: Path) -> None:
    """Not again while it is the same, nor within the hour; what it prints is read with care."""
    asked: list[list[str]] = []

    def rpm(names: list[str]) -> str:
        asked.append(names)
        return "a 0:1.2-3\nb 1:2-1\npackage c is not installed\n"

    packages = Packages(tmp_path, Files(), rpm)
    assert packages.of("rpm", frozenset("abc")).why == "there is no rpm database"
    base = put(tmp_path, "var/lib/rpm/rpmdb.sqlite", "1")
    for _ in range(3):
        assert packages.of("rpm", frozenset("abc")).value == {"a": "1.2-3", "b": "1:2-1"}
    base.write_text("22")
    assert packages.of("rpm", frozenset("abc")).value is not None
    assert asked == [["a", "b", "c"]]
    assert "within the hour" in packages.of("rpm", frozenset("x")).why


def test_rpm_that_fails_tells_nothing(tmp_path: Path) -> None:
    """Not there, or hanging."""

    def rpm(names: list[str]) -> str:
        raise FileNotFoundError("rpm")

    put(tmp_path, "var/lib/rpm/Packages", "1")
    assert Packages(tmp_path, Files(), rpm).of("rpm", frozenset("a")).why == "rpm: rpm"


def test_the_operating_system_and_the_kernel(tmp_path: Path) -> None:
    """The most particular of the names there are; missing ones are not told."""
    assert {one.told for name, one in Sources(tmp_path).read([]).items() if name != "agent"} == {
        False
    }
    put(tmp_path, "etc/os-release", 'PRETTY_NAME="Pine 4"\nVERSION_ID=4\nBUILD_ID="4.2.7"\n')
    put(tmp_path, "proc/sys/kernel/osrelease", "5.10.110\n")
    sources = Sources(tmp_path)
    found = sources.read([])
    assert (found["os"].version, found["kernel"].version) == ("4.2.7", "5.10.110")
    assert sources.os_name() == "Pine 4"


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(given_bytes=st.binary(max_size=300))
def test_garbage_is_read_without_complaint(tmp_path: Path, given_bytes: bytes) -> None:
    """Whatever a power cut left in those files."""
    places = []
    for number, (by, place) in enumerate(
        [("dpkg", "var/lib/dpkg/status"), ("opkg", "usr/lib/opkg/status"),
         ("apk", "lib/apk/db/installed"), ("file", "f"), ("hash", "f")]
    ):  # fmt: skip
        put(tmp_path, place, "")
        (tmp_path / place).write_bytes(given_bytes)
        places.append(Place(component=f"c{number}", installed_by=by, path="/f", package="a"))
    (tmp_path / "etc").mkdir(exist_ok=True)
    (tmp_path / "etc/os-release").write_bytes(given_bytes)
    places.append(Place(component="key", installed_by="file", path="/f", key="version"))
    for one in Sources(tmp_path).read(places).values():
        assert len(one.version) <= 120
