"""A modem on its AT port, simulated: asked, understood, and left alone where it is not ours."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from agent.config.radio import Cellular
from agent.sim.modem import ICCID, IMEI, IMSI, SimulatedModem, obey
from agent.watch.quality.at_port import Around, AtSource, daemon_of
from agent.watch.quality.facts import NotReadable, RadioFacts, Registration, SimState
from tests.fakes import FakeClock

T = TypeVar("T")


class Threads:
    """Calls in threads of their own, as the daemon does."""

    async def call(self, name: str, function: Callable[[], T], deadline_s: float) -> T:
        async with asyncio.timeout(deadline_s):
            return await asyncio.to_thread(function)


ALONE = Around(owner=lambda _: None, daemon=lambda: "", sees_everybody=lambda: True)


def source(path: Path, around: Around = ALONE, **more: object) -> AtSource:
    config = Cellular(device=str(path), **{"answer_timeout_s": 5.0, **more})  # type: ignore[arg-type]
    return AtSource(config, Threads(), FakeClock(), around)


def with_modem(
    path: Path, work: Callable[[SimulatedModem], Awaitable[T]], maker: str = "quectel"
) -> T:
    async def run() -> T:
        async with SimulatedModem(path, maker) as modem:
            return await work(modem)

    return asyncio.run(run())


def facts_of(told: object) -> RadioFacts:
    assert isinstance(told, list | tuple)
    (one,) = told
    assert isinstance(one, RadioFacts), one
    return one


def reason_of(told: object) -> str:
    assert isinstance(told, list | tuple)
    (one,) = told
    assert isinstance(one, NotReadable), one
    return one.reason


def read_once(path: Path, *orders: str, maker: str = "quectel", **more: object) -> object:
    async def work(modem: SimulatedModem) -> object:
        for order in orders:
            assert obey(modem, order) == "ok"
        return await source(path, **more).read()

    return with_modem(path, work, maker)


def test_a_modem_that_works(tmp_path: Path) -> None:
    """SIM, network, operator and LTE's own figures, each in its unit."""
    told = facts_of(read_once(tmp_path / "tty", "rsrp -97", "rsrq -12"))
    assert (told.sim_state, told.registration) == (SimState.READY, Registration.HOME)
    assert (told.registered, told.roaming) == (True, False)
    assert (told.operator, told.technology) == ("46000", "lte")
    assert (told.rsrp_dbm, told.rsrq_db) == (-97, -12)


@pytest.mark.parametrize(
    ("order", "sim", "registration"),
    [
        ("sim absent", SimState.ABSENT, Registration.IDLE),
        ("sim pin", SimState.PIN_REQUIRED, Registration.IDLE),
        ("sim puk", SimState.PUK_REQUIRED, Registration.IDLE),
        ("sim failed", SimState.FAILED, Registration.IDLE),
        ("sim busy", SimState.NOT_READY, Registration.IDLE),
        ("network searching", SimState.READY, Registration.SEARCHING),
        ("network denied", SimState.READY, Registration.DENIED),
        ("network roaming", SimState.READY, Registration.ROAMING),
    ],
)
def test_each_trouble_has_its_own_word(
    tmp_path: Path, order: str, sim: SimState, registration: Registration
) -> None:
    """What is wrong with SIM or network is told apart, whatever else the modem says meanwhile."""
    told = facts_of(read_once(tmp_path / "tty", order, "chatter on"))
    assert (told.sim_state, told.registration) == (sim, registration)


@pytest.mark.parametrize(
    ("maker", "orders", "expected"),
    [
        # Made of RSRP: marked, so that nobody judges it.
        ("ublox", ("old on", "rsrp -100"), (None, -73.0, True)),
        ("plain", ("technology gsm", "rssi -95"), (None, -95.0, False)),
        ("plain", ("rsrp -110",), (-110.0, None, False)),
        ("telit", ("rsrp -88",), (-88.0, None, False)),
        ("quectel", ("old on", "rsrp -91"), (-91.0, -61.0, False)),
    ],
)
def test_figures_of_different_makers(
    tmp_path: Path,
    maker: str,
    orders: tuple[str, ...],
    expected: tuple[float | None, float | None, bool],
) -> None:
    """CSQ means the received signal on 2G and 3G only; elsewhere RSRP is believed or nothing."""
    told = facts_of(read_once(tmp_path / "tty", *orders, maker=maker))
    assert (told.rsrp_dbm, told.rssi_dbm, told.mapped) == expected


def test_no_identity_is_asked_for_or_kept(tmp_path: Path) -> None:
    """IMEI, IMSI and ICCID: never asked, and not kept where the modem says them by itself."""

    async def work(modem: SimulatedModem) -> tuple[list[str], str, str]:
        modem.switch(chatter=True)
        asker = source(tmp_path / "tty")
        told = await asker.read()
        return modem.asked, repr(told), repr(asker.identity)

    asked, told, identity = with_modem(tmp_path / "tty", work)
    assert "READY" in told.upper()
    assert not {"AT+CGSN", "AT+CIMI", "AT+CCID", "AT+QCCID", "ATI", "AT+GSN"} & set(asked)
    for number in (IMEI, IMSI, ICCID):
        assert number not in told + identity


def test_a_silent_modem_is_not_known(tmp_path: Path) -> None:
    """No answer is a sentence with the place to look, never a missing SIM."""
    told = reason_of(read_once(tmp_path / "tty", "power off", answer_timeout_s=0.05))
    assert "no answer on" in told
    assert "[cellular] device" in told


def test_garbage_is_a_wrong_speed(tmp_path: Path) -> None:
    """Bytes that make no sense name the setting that is probably wrong."""
    told = reason_of(read_once(tmp_path / "tty", "garbage on", answer_timeout_s=0.05))
    assert "baud (now 115200)" in told


def test_the_port_is_left_where_it_is_somebody_elses(tmp_path: Path) -> None:
    """Held, perhaps held, or a modem daemon running: not one byte is sent."""
    cases = {
        "in use by pppd": Around(owner=lambda _: "pppd", daemon=lambda: ""),
        "cannot see": Around(owner=lambda _: None, daemon=lambda: "", sees_everybody=lambda: False),
        "ModemManager runs": Around(owner=lambda _: None, daemon=lambda: "ModemManager"),
    }

    async def work(modem: SimulatedModem) -> tuple[list[str], list[str]]:
        said = [
            reason_of(await source(tmp_path / "tty", around).read()) for around in cases.values()
        ]
        return said, modem.asked

    said, asked = with_modem(tmp_path / "tty", work)
    assert asked == []
    for words, sentence in zip(cases, said, strict=True):
        assert words in sentence


def test_an_unseen_owner_may_be_ruled_out_by_the_installer(tmp_path: Path) -> None:
    """open = "always": who set the terminal up knows that nobody else has the port."""
    blind = Around(owner=lambda _: None, daemon=lambda: "", sees_everybody=lambda: False)
    told = with_modem(
        tmp_path / "tty",
        lambda _: source(tmp_path / "tty", blind, open="always").read(),
    )
    assert facts_of(told).sim_state is SimState.READY


def test_a_modem_that_falls_off_its_bus(tmp_path: Path) -> None:
    """Gone is told as gone, and the next round finds it again."""

    async def work(modem: SimulatedModem) -> tuple[object, object, object]:
        asker = source(tmp_path / "tty")
        first = await asker.read()
        modem.unplug()
        away = await asker.read()
        modem.plug()
        return first, away, await asker.read()

    first, away, back = with_modem(tmp_path / "tty", work)
    assert "does not exist" in reason_of(away)
    assert facts_of(first).sim_state is facts_of(back).sim_state is SimState.READY


def test_what_is_no_modem_port(tmp_path: Path) -> None:
    """A plain file is said to be no serial line."""
    path = tmp_path / "file"
    path.write_text("x")
    assert "not a serial line" in reason_of(asyncio.run(source(path).read()))


def test_modem_daemons_are_found_by_name(tmp_path: Path) -> None:
    """A program that owns modems by its nature counts before it has opened any port."""
    for pid, name in (("812", "systemd"), ("90", "ModemManager"), ("self", "rild")):
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "comm").write_text(f"{name}\n")
    assert daemon_of(tmp_path) == "ModemManager"
    assert daemon_of(tmp_path / "nothing") == ""
