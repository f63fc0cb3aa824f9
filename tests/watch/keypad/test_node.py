"""Finding and opening the keypad: what /sys tells, what is refused, what is asked of a driver."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.config.devices import Keypad
from agent.watch.drivers import evdev
from agent.watch.keypad import node
from agent.watch.keypad.node import Node, NoKeypadError, Place, hidden, locate, open_node

DIGITS = frozenset(range(2, 12)) | {28}
#: A device of the kernel that exists everywhere and is no keypad.
NULL = Path("/dev/null")


def sysfs(root: Path, event: str, name: str, keys: frozenset[int]) -> None:
    device = root / event / "device"
    (device / "capabilities").mkdir(parents=True)
    (device / "name").write_text(f"{name}\n", "utf-8")
    number = int.from_bytes(evdev.bitmap_of(keys), "little")
    bits = evdev.WORD_BITS
    words = [f"{number >> at & (1 << bits) - 1:x}" for at in range(0, 768, bits)]
    (device / "capabilities" / "key").write_text(" ".join(reversed(words)) + "\n")


class Driver:
    """Stands for the kernel behind a descriptor: answers the four questions."""

    def __init__(self, name: str = "", keys: frozenset[int] = DIGITS) -> None:
        self.name = name
        self.keys = keys
        self.down: frozenset[int] = frozenset()
        self.fails: dict[int, int] = {}
        self.asked: list[int] = []

    def __call__(self, _fd: int, request: int, answer: bytearray) -> int:
        self.asked.append(request)
        if request in self.fails:
            raise OSError(self.fails[request], "driver")
        match request:
            case evdev.EVIOCGKEY:
                answer[:] = evdev.bitmap_of(self.down)
            case evdev.EVIOCGBIT_KEY:
                answer[:] = evdev.bitmap_of(self.keys)
            case evdev.EVIOCGNAME:
                answer[: len(self.name.encode())] = self.name.encode()
            case evdev.EVIOCSCLOCKID:
                assert bytes(answer) == b"\x01\x00\x00\x00"
            case _:
                raise AssertionError(f"{request:x} was asked: is that a grab?")
        return 0


def problem(work: Callable[[], object]) -> NoKeypadError:
    with pytest.raises(NoKeypadError) as caught:
        work()
    return caught.value


def test_by_name_the_first_with_digits_without_opening_anything(tmp_path: Path) -> None:
    """Part of the name, any case; what has no digits is not meant; event2 comes before event10."""
    sysfs(tmp_path, "event10", "ACME Keypad 12", DIGITS)
    sysfs(tmp_path, "event2", "Acme keypad", DIGITS)
    sysfs(tmp_path, "event1", "ACME keypad consumer control", frozenset({114, 115}))
    found = locate(Keypad(name="acme KEYPAD"), tmp_path, Path("/nowhere"))
    assert found == Place(path=Path("/nowhere/event2"), name="Acme keypad")
    assert locate(Keypad(name="other"), tmp_path) is None


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("ACME PIN Pad 3000", True),
        ("acme pinpad", True),
        ("PIN-Entry device", True),
        ("EPP v5", True),
        ("SZZT Encrypting Keyboard", True),
        ("密码键盘", True),
        ("Numeric Keypad", False),
        ("Pinnacle keyboard", False),
        ("Speed keypad", False),
        ("gpio-keys", False),
    ],
)
def test_a_pin_pad_is_refused_by_its_name_before_it_is_opened(
    tmp_path: Path, name: str, refused: bool
) -> None:
    """What calls itself a PIN pad is not read, whether found by name or by path."""
    sysfs(tmp_path, "event0", name, DIGITS)
    sysfs(tmp_path, "null", name, DIGITS)
    for config in (Keypad(name=name), Keypad(device=str(NULL))):
        if refused:
            assert problem(lambda c=config: locate(c, tmp_path)).finding == "pin_pad"
        else:
            assert locate(config, tmp_path) is not None


def test_the_installer_has_the_last_word_about_pins(tmp_path: Path) -> None:
    """`yes` refuses any device, `no` takes one that only sounds like a PIN pad."""
    sysfs(tmp_path, "event0", "ACME PIN pad", DIGITS)
    sysfs(tmp_path, "event1", "Plain", DIGITS)
    assert locate(Keypad(name="acme", read="always"), tmp_path) is not None
    assert problem(lambda: locate(Keypad(name="plain", read="never"), tmp_path)).finding == (
        "pin_pad"
    )
    assert locate(Keypad(name="gone", read="never"), tmp_path) is None  # presence is still told


def test_where_sys_is_silent_the_driver_is_asked_its_name_before_any_event(tmp_path: Path) -> None:
    """A PIN pad without a name in /sys is closed again unread."""
    config = Keypad(device=str(NULL))
    place = locate(config, tmp_path)
    assert place == Place(path=NULL)
    before = len(list(Path("/proc/self/fd").iterdir()))
    driver = Driver(name="Terminal PIN pad")
    assert problem(lambda: open_node(config, place, driver)).finding == "pin_pad"
    assert driver.asked == [evdev.EVIOCGNAME]
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_device_without_digits_is_no_keypad(tmp_path: Path) -> None:
    """By /sys without opening it, else by its driver."""
    sysfs(tmp_path, "null", "Power Button", frozenset({116}))
    config = Keypad(device=str(NULL))
    assert problem(lambda: locate(config, tmp_path)).finding == "not_a_keypad"
    driver = Driver(keys=frozenset({116}))
    found = problem(lambda: open_node(config, Place(path=NULL), driver))
    assert (found.finding, found.code) == ("not_a_keypad", "device.interface_mismatch")


def test_a_real_device_that_is_no_input_device() -> None:
    """The real ioctl on /dev/null: named, and closed again."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    found = problem(lambda: open_node(Keypad(device=str(NULL)), Place(path=NULL)))
    assert found.finding == "not_input"
    assert "[keypad] device" in found.reason
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_file_is_no_device_and_a_missing_node_is_absent(tmp_path: Path) -> None:
    """A typo in the configuration is not a keypad that was pulled out."""
    file = tmp_path / "event0"
    file.touch()
    assert problem(lambda: locate(Keypad(device=str(file)))).finding == "not_input"
    assert locate(Keypad(device=str(tmp_path / "missing"))) is None
    assert locate(Keypad(device=str(file / "below"))) is None


@pytest.mark.parametrize(
    ("number", "finding", "words"),
    [
        (errno.EACCES, "permission", "usually input"),
        (errno.EPERM, "permission", "DeviceAllow="),
        (errno.ENODEV, "gone", "not there"),
        (errno.ENXIO, "gone", "not there"),
        (errno.ENOENT, "gone", "not there"),
        (errno.EMFILE, "open_failed", "cannot be opened"),
    ],
)
def test_each_refusal_to_open_has_its_own_sentence(
    monkeypatch: pytest.MonkeyPatch, number: int, finding: str, words: str
) -> None:
    """What is needed is said; a device that vanished is not an error."""

    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(node.os, "open", refuse)
    found = problem(lambda: open_node(Keypad(), Place(path=NULL), Driver()))
    assert found.finding == finding
    assert words in found.reason


def test_a_stat_that_is_forbidden_is_a_missing_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory one may not enter is not an unplugged keypad."""

    def refuse(_path: Path, **_: object) -> os.stat_result:
        raise PermissionError(errno.EACCES, "no")

    monkeypatch.setattr(Path, "stat", refuse)
    assert problem(lambda: locate(Keypad(device="/dev/input/event0"))).finding == "permission"


def test_it_is_opened_for_reading_only_and_never_grabbed() -> None:
    """Neither writing (lamps) nor EVIOCGRAB: nobody else misses a key. Times are monotonic."""
    driver = Driver()
    opened = open_node(Keypad(device=str(NULL)), Place(path=NULL, name="Plain"), driver)
    import fcntl

    flags = fcntl.fcntl(opened.fd, fcntl.F_GETFL)
    assert flags & os.O_ACCMODE == os.O_RDONLY
    assert flags & os.O_NONBLOCK
    assert not os.get_inheritable(opened.fd)
    assert driver.asked == [evdev.EVIOCGBIT_KEY, evdev.EVIOCSCLOCKID]
    driver.down = frozenset({5, 0x163})
    assert opened.down() == {5, 0x163}
    opened.close()


def test_an_old_kernel_without_clocks_is_fine_and_one_that_went_away_is_gone() -> None:
    """EVIOCSCLOCKID may fail; ENODEV while being asked is a pulled plug."""
    driver = Driver()
    driver.fails = {evdev.EVIOCSCLOCKID: errno.EINVAL}
    open_node(Keypad(), Place(path=NULL, name="Plain"), driver).close()
    driver.fails = {evdev.EVIOCGBIT_KEY: errno.ENODEV}
    found = problem(lambda: open_node(Keypad(), Place(path=NULL, name="Plain"), driver))
    assert found.finding == "gone"


def test_what_hides_the_keypad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is there, or nobody can tell: hidden. Not there, or none configured: not."""
    assert not hidden(Keypad())
    config = Keypad(pause_file=str(tmp_path / "pin"))
    assert not hidden(config)
    (tmp_path / "pin").touch()
    assert hidden(config)
    assert not hidden(Keypad(pause_file=str(tmp_path / "pin" / "below")))

    def refuse(_path: str) -> os.stat_result:
        raise PermissionError(errno.EACCES, "no")

    monkeypatch.setattr(node.os, "stat", refuse)
    assert hidden(config)


def test_a_socket_of_events_is_asked_nothing(tmp_path: Path) -> None:
    """Nobody is behind it who could answer; one without a listener is not there."""
    path = tmp_path / "keypad"
    config = Keypad(device=str(path))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        assert stat.S_ISSOCK(path.stat().st_mode)
        place = locate(config)
        assert place == Place(path=path, kernel=False)
        assert problem(lambda: open_node(config, place)).finding == "gone"
        server.listen()
        driver = Driver()
        opened = open_node(config, place, driver)
        assert isinstance(opened, Node)
        assert opened.down() == opened.keys() == frozenset()
        assert driver.asked == []
        opened.close()
    assert problem(lambda: locate(Keypad(device=str(path), read="never"))).finding == "pin_pad"
