"""The machines a bundle can be made for: what their wheels, their compiled files and their
interpreters are called.

Decides names only. A bundle is for one architecture, one C library and one minor version of
CPython; its tag is the one the interpreter itself puts into the names of compiled modules
(`cpython-311-arm-linux-gnueabihf`), so that nothing has to be translated to compare the two.
"""

from __future__ import annotations

from dataclasses import dataclass


class BundleError(Exception):
    """A bundle cannot be made: one sentence, and what to do."""


@dataclass(frozen=True)
class Machine:
    """One architecture: Debian's name for it, and everybody else's."""

    wheel: str  # in the names of manylinux and musllinux wheels
    android: str  # in the names of Android wheels; "" where CPython has none
    triplet: str  # of the interpreter: machine before `-linux-gnu`
    gnu: str  # what follows `-linux-` there
    musl: str
    elf: tuple[int, int]  # class (32 or 64) and machine number of its compiled files
    unames: tuple[str, ...]  # what `uname -m` says there
    strip: str  # Debian's command that strips its files


MACHINES = {
    "amd64": Machine(
        wheel="x86_64",
        android="x86_64",
        triplet="x86_64",
        gnu="gnu",
        musl="musl",
        elf=(64, 62),
        unames=("x86_64",),
        strip="x86_64-linux-gnu-strip",
    ),
    "arm64": Machine(
        wheel="aarch64",
        android="arm64_v8a",
        triplet="aarch64",
        gnu="gnu",
        musl="musl",
        elf=(64, 183),
        unames=("aarch64",),
        strip="aarch64-linux-gnu-strip",
    ),
    "armhf": Machine(
        wheel="armv7l",
        android="armeabi_v7a",
        triplet="arm",
        gnu="gnueabihf",
        musl="musleabihf",
        elf=(32, 40),
        unames=("armv7l", "armv8l", "aarch64"),
        strip="arm-linux-gnueabihf-strip",
    ),
    "i386": Machine(
        wheel="i686",
        android="x86",
        triplet="i386",
        gnu="gnu",
        musl="musl",
        elf=(32, 3),
        unames=("i386", "i486", "i586", "i686", "x86_64"),
        strip="i686-linux-gnu-strip",
    ),
}
LIBCS = ("gnu", "musl", "android")
#: The newest glibc a wheel may ask for: Debian 12's. What the files really ask for is read from
#: them, and is what the bundle's start refuses by.
GLIBC = 36
#: The API levels an Android wheel may be for: CPython's own floor, and the newest there is.
ANDROID_LEVELS = range(21, 37)


@dataclass(frozen=True)
class Target:
    """What one bundle is for."""

    arch: str
    python: str  # "3.11"
    libc: str

    def __post_init__(self) -> None:
        if self.arch not in MACHINES:
            raise BundleError(f"no machine is called {self.arch}: choose {', '.join(MACHINES)}")
        if self.libc not in LIBCS:
            raise BundleError(f"no C library is called {self.libc}: choose {', '.join(LIBCS)}")
        major, dot, minor = self.python.partition(".")
        if major != "3" or not dot or not minor.isdigit() or int(minor) < 11:
            raise BundleError(f"no Python {self.python}: 3.11 or newer, as in `--python 3.11`")

    @property
    def machine(self) -> Machine:
        return MACHINES[self.arch]

    @property
    def cache_tag(self) -> str:
        """`cpython-311`."""
        return "cpython-" + self.python.replace(".", "")

    @property
    def abi(self) -> str:
        """`cp311`."""
        return "cp" + self.python.replace(".", "")

    @property
    def tag(self) -> str:
        """What the interpreter puts into the name of a compiled module."""
        kind = {
            "gnu": self.machine.gnu,
            "musl": self.machine.musl,
            "android": "androideabi" if self.arch == "armhf" else "android",
        }[self.libc]
        machine = self.machine.triplet
        if self.libc == "android" and self.arch == "i386":
            machine = "i686"
        return f"{self.cache_tag}-{machine}-linux-{kind}"

    @property
    def platforms(self) -> list[str]:
        """The names of platforms whose wheels run there; those for the oldest systems first."""
        machine = self.machine
        if self.libc == "musl":
            return [f"musllinux_1_{n}_{machine.wheel}" for n in range(3)]
        if self.libc == "android":
            return [f"android_{level}_{machine.android}" for level in ANDROID_LEVELS]
        intel = self.arch in {"amd64", "i386"}
        named = ["manylinux1", "manylinux2010"] if intel else []
        named += ["manylinux2014"]
        named += [f"manylinux_2_{n}" for n in range(5 if intel else 17, GLIBC + 1)]
        return [f"{name}_{machine.wheel}" for name in (*named, "linux")]

    def rank(self, wheel: str) -> int | None:
        """How good the wheel of this file name is there, the lowest best; None: it does not run."""
        pythons, abis, platforms = wheel.removesuffix(".whl").split("-")[-3:]
        minor = int(self.python.partition(".")[2])
        ours = {f"cp3{n}" for n in range(2, minor + 1)}
        pure = {"py3", f"py3{minor}", *ours}
        fits = any(
            (abi == "none" and python in pure)
            or (abi == "abi3" and python in ours)
            or (abi == self.abi and python == self.abi)
            for python in pythons.split(".")
            for abi in abis.split(".")
        )
        order = [*self.platforms, "any"]
        ranks = [order.index(name) for name in platforms.split(".") if name in order]
        return min(ranks) if fits and ranks else None
