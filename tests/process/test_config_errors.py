"""A configuration that cannot be used: exit 2, and a sentence an installer can act on."""

from __future__ import annotations

import pytest

from tests.process.daemon import Daemon

pytestmark = pytest.mark.process


def refused(text: str, *, agent: str = "") -> tuple[str, Daemon]:
    """What the daemon says about this configuration, after it exited with 2."""
    with Daemon() as daemon:
        daemon.configure(text, agent=agent)
        daemon.start(wait=False)
        assert daemon.wait() == 2, daemon.log()
        assert not daemon.state_dir.exists(), "a refused configuration must not touch the store"
        return daemon.log(), daemon


def line_of(daemon: Daemon, text: str, wanted: str) -> int:
    """The number of the line `wanted` in the configuration the harness writes for `text`."""
    daemon.home.mkdir()
    try:
        daemon.configure(text)
        lines = daemon.config_file.read_text("utf-8").splitlines()
    finally:
        daemon.config_file.unlink()
        daemon.home.rmdir()
    return lines.index(wanted) + 1


def test_an_unknown_key_is_named_with_file_line_table_and_the_nearest_valid_key() -> None:
    """`baudrate` under [printer] exits 2 and points at `baud`."""
    text = '[printer]\ndevice = "/dev/ttyS0"\nbaudrate = 9600'
    said, daemon = refused(text)
    line = line_of(daemon, text, "baudrate = 9600")
    assert f"{daemon.config_file}:{line}: [printer] baudrate" in said
    assert "did you mean baud?" in said
    assert "115200" in said, "what the nearest key allows"


def test_an_unknown_table_is_named_with_the_nearest_valid_table() -> None:
    """[telemtry] exits 2 and points at [telemetry]."""
    said, daemon = refused("[telemtry]\nkeepalive_s = 60")
    assert str(daemon.config_file) in said
    assert "telemtry" in said
    assert "[telemetry]" in said


@pytest.mark.parametrize(
    ("table", "key", "value", "allowed"),
    [
        ("telemetry", "keepalive_s", "5", ("15", "1200")),
        ("api", "max_connections", "4", ("8", "256")),
        ("printer", "baud", "12345", ("9600", "115200")),
        ("connectivity", "timeout_s", "-1.0", ("0.05", "86400")),
        ("system", "battery_low_percent", '"low"', ("1", "99")),
    ],
)
def test_an_out_of_range_key_is_named_with_file_line_table_and_range(
    table: str, key: str, value: str, allowed: tuple[str, ...]
) -> None:
    """A value outside its bounds exits 2 and says what is allowed."""
    text = f"[{table}]\n{key} = {value}"
    said, daemon = refused(text)
    line = line_of(daemon, text, f"{key} = {value}")
    assert f"{daemon.config_file}:{line}: [{table}] {key}" in said
    for bound in allowed:
        assert bound in said, said


def test_every_problem_is_told_at_once() -> None:
    """An installer with two mistakes needs one start, not two."""
    said, _ = refused("[printer]\nbaudrate = 9600\n[telemetry]\nkeepalive_s = 5")
    assert "[printer] baudrate" in said
    assert "[telemetry] keepalive_s" in said


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("[printer]\nbaud = = 9600", "baud = = 9600"),
        ('[printer]\ndevice = "/dev/ttyS0', 'device = "/dev/ttyS0'),
        ("[printer\nbaud = 9600", "[printer"),
        ("[printer]\nbaud = 9600\nbaud = 19200", "baud = 19200"),
    ],
)
def test_broken_toml_is_named_with_its_line(text: str, broken: str) -> None:
    """A syntax error exits 2 with the file and the line."""
    said, daemon = refused(text)
    assert f"{daemon.config_file}:{line_of(daemon, text, broken)}:" in said
    assert "broken TOML" in said


def test_a_configuration_others_can_write_is_refused() -> None:
    """Whoever can write the file could send the money elsewhere."""
    with Daemon() as daemon:
        daemon.config_file.chmod(0o666)
        daemon.start(wait=False)
        assert daemon.wait() == 2
        assert str(daemon.config_file) in daemon.log()
        assert "chmod" in daemon.log()


def test_the_complaint_comes_in_chinese_where_chinese_is_spoken() -> None:
    """LANG=zh_CN: the same sentence in Chinese."""
    with Daemon({"LC_ALL": "zh_CN.UTF-8", "PYTHONIOENCODING": "utf-8"}) as daemon:
        daemon.configure("[printer]\nbaudrate = 9600")
        daemon.start(wait=False)
        assert daemon.wait() == 2
        assert "是否应为 baud" in daemon.log()
