"""AT answers, byte for byte as makers' manuals print them, and whatever else a port may say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.watch.drivers import at
from agent.watch.drivers.at import Answer, Signal
from agent.watch.quality.facts import Registration, SimState


def said(*lines: str, ok: bool = True, error: str = "") -> Answer:
    return Answer(lines=lines, ok=ok, error=error)


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        (b"\r\n+CSQ: 23,99\r\n\r\nOK\r\n", said("+CSQ: 23,99")),
        (b"AT+CSQ\r\r\n+CSQ: 23,99\r\n\r\nOK\r\n", said("+CSQ: 23,99")),
        (b"\r\nERROR\r\n", said(ok=False)),
        (b"\r\n+CME ERROR: 10\r\n", said(ok=False, error="10")),
        (b"\r\n+CME ERROR: SIM not inserted\r\n", said(ok=False, error="SIM not inserted")),
        (b"\r\nRING\r\n\r\n+CSQ: 5,0\r\n\r\nOK\r\n", said("RING", "+CSQ: 5,0")),
        # A line of its own accord that names the subscriber is not handed on.
        (b"\r\n^SIMST: 460000000000011\r\n+CSQ: 5,0\r\nOK\r\n", said("+CSQ: 5,0")),
        (b"+CSQ: 5,0\nOK\n", said("+CSQ: 5,0")),
        (b"\r\n+CSQ: 23,99\r\n\r\nOK", None),
        (b"\r\n+CSQ: 23,9", None),
        (b"", None),
        (b"\xf8\x80\xfe\x00\x1f\r\n", None),
    ],
)
def test_where_an_answer_ends(received: bytes, expected: Answer | None) -> None:
    """Only a final result code ends an answer; echo, blank lines and identities are left out."""
    assert at.answer_in(received, "AT+CSQ") == expected


@given(st.binary(max_size=400))
def test_no_bytes_break_the_reading(received: bytes) -> None:
    """Whatever arrives: an answer or none, never an exception, never a number that identifies."""
    answer = at.answer_in(received, "AT")
    if answer is not None:
        at.sim_state(answer)
        assert not any(at._IDENTITY.search(line) for line in answer.lines)


ANYTHING = st.one_of(
    st.text(max_size=60),
    st.lists(st.one_of(st.integers(), st.text(max_size=5)), max_size=20).map(
        lambda many: ",".join(map(str, many))
    ),
)


@given(ANYTHING)
def test_no_text_breaks_a_decoder(told: str) -> None:
    """Every decoder of a line takes any line, and what it believes is physically possible."""
    at.operator(told)
    at.registration([told])
    at.fields(told)
    cell = at.serving_cell(told)
    signals = [at.csq(told), at.csq(told, "gsm"), at.cesq(told), at.qcsq(told)]
    for one in [*signals, *([cell[0]] if cell else [])]:
        assert one.rssi_dbm is None or -120 <= one.rssi_dbm <= -25
        assert one.rsrp_dbm is None or -156 <= one.rsrp_dbm <= -31
        assert one.rsrq_db is None or -43 <= one.rsrq_db <= 20
        assert one.sinr_db is None or -23 <= one.sinr_db <= 40.5


@pytest.mark.parametrize(
    ("told", "rssi_dbm"),
    [
        ("31,99", -51), ("23,99", -67), ("2,99", -109), ("99,99", None), ("32,0", None),
        ("0,99", -113), ("1,0", -111), ("199,99", None), ("150,99", -66), ("", None), ("x", None),
    ],
)  # fmt: skip
def test_csq(told: str, rssi_dbm: float | None) -> None:
    """-113 + 2n, 100 and above for TD-SCDMA, 99 and 199 unknown."""
    assert at.csq(told, "gsm") == Signal(rssi_dbm=rssi_dbm)


@pytest.mark.parametrize(
    ("technology", "mapped"),
    [("gsm", False), ("umts", False), ("hspa", False), ("lte", True), ("nb_iot", True),
     ("nr", True), ("", True)],
)  # fmt: skip
def test_csq_is_not_compared_on_lte(technology: str, mapped: bool) -> None:
    """u-blox puts RSRP there, Telit RSRQ in the second: on LTE, or unknown, it is only marked."""
    assert at.csq("20,99", technology).mapped is mapped


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("99,99,255,255,20,55", Signal(rsrp_dbm=-85, rsrq_db=-9.5)),
        ("99,99,255,255,255,255", Signal()),
        ("99,99,255,255,0,0", Signal(rsrp_dbm=-140, rsrq_db=-19.5)),
        ("99,99,255,255,34,97", Signal(rsrp_dbm=-43, rsrq_db=-2.5)),
        ("40,0,255,255,255,255", Signal(rssi_dbm=-70)),
        ("99,99,50,20,255,255", Signal(rssi_dbm=-70)),
        ("99,99,255,255,255,255,60,70,66", Signal(rsrp_dbm=-86, rsrq_db=-13, sinr_db=10)),
        ("99,99,255,255,255,255,255,255,255", Signal()),
        ("", Signal()),
        ("1,2,3", Signal(rssi_dbm=-109)),
    ],
)
def test_cesq(told: str, expected: Signal) -> None:
    """Six figures, with NR nine; 99 and 255 are unknown."""
    assert at.cesq(told) == expected


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ('"LTE",-52,-81,195,-10', Signal(rssi_dbm=-52, rsrp_dbm=-81, rsrq_db=-10)),
        # As the facts have it: an RSRP that can be none is not believed.
        ('"eMTC",-65,-10,18,-8', Signal(rssi_dbm=-65, rsrq_db=-8)),
        ('"GSM",-71', Signal(rssi_dbm=-71)),
        ('"NOSERVICE"', Signal()),
        ("", Signal()),
    ],
)
def test_quectel_signal(told: str, expected: Signal) -> None:
    """rssi, rsrp, (a scale of its own), rsrq; impossible figures left out."""
    assert at.qcsq(told) == expected


def test_quectel_serving_cell() -> None:
    """Signal and technology of the cell; where it is stays where it is."""
    told = '"servingcell","NOCONN","LTE","FDD",460,00,5F1EA15,155,1650,3,5,5,DE10,-97,-10,-67,12,34'
    found = at.serving_cell(told)
    assert found == (Signal(rssi_dbm=-67, rsrp_dbm=-97, rsrq_db=-10), "lte")
    assert at.serving_cell('"servingcell","SEARCH"') is None
    assert at.serving_cell('"servingcell","NOCONN","GSM",460,00') == (Signal(), "gsm")
    assert at.serving_cell("") is None


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (["0,1"], (Registration.HOME, "")),
        (['2,1,"1A2B","01C3D4E5",7'], (Registration.HOME, "lte")),
        (['2,5,"1A2B","01C3D4E5",9'], (Registration.ROAMING, "nb_iot")),
        (["0,2"], (Registration.SEARCHING, "")),
        (["0,0"], (Registration.IDLE, "")),
        (["0,4"], (Registration.UNKNOWN, "")),
        (["0,8"], (Registration.EMERGENCY, "")),
        # LTE refuses, GSM carries: it is registered.
        (["0,3", "0,1"], (Registration.HOME, "")),
        # Refused is more than searching.
        (["0,2", "0,3"], (Registration.DENIED, "")),
        # Of its own accord, without a mode.
        (["1"], (Registration.HOME, "")),
        (['5,"1A2B","01C3D4E5",7'], (Registration.ROAMING, "lte")),
        (['1,"0005","01C3D4E5",7'], (Registration.HOME, "lte")),
        ([], (Registration.UNKNOWN, "")),
        (["x,y"], (Registration.UNKNOWN, "")),
    ],
)
def test_registration(told: list[str], expected: tuple[Registration, str]) -> None:
    """The best of the domains counts, with the technology it names."""
    assert at.registration(told) == expected


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (said("+CPIN: READY"), SimState.READY),
        (said("+CPIN: SIM PIN"), SimState.PIN_REQUIRED),
        (said("+CPIN: SIM PUK"), SimState.PUK_REQUIRED),
        (said("+CPIN: SIM PIN2"), SimState.READY),
        (said("+CPIN: PH-NET PIN"), SimState.LOCKED),
        (said("+CPIN: NOT INSERTED"), SimState.ABSENT),
        (said(ok=False, error="10"), SimState.ABSENT),
        (said(ok=False, error="11"), SimState.PIN_REQUIRED),
        (said(ok=False, error="12"), SimState.PUK_REQUIRED),
        (said(ok=False, error="13"), SimState.FAILED),
        (said(ok=False, error="14"), SimState.NOT_READY),
        (said(ok=False, error="SIM not inserted"), SimState.ABSENT),
        (said(ok=False, error="SIM busy"), SimState.NOT_READY),
        # Nothing was said of the SIM: that is not a missing one.
        (said(ok=False), SimState.UNKNOWN),
        (said(ok=False, error="100"), SimState.UNKNOWN),
        (said(ok=False, error="99999999"), SimState.UNKNOWN),
        (said(), SimState.UNKNOWN),
    ],
)
def test_the_sim(answer: Answer, state: SimState) -> None:
    """Each refusal has its word; a bare ERROR is none."""
    assert at.sim_state(answer) is state


def test_the_operator() -> None:
    """Name or number with commas inside quotes; no operator is no operator."""
    assert at.operator('0,2,"46000",7') == ("46000", "lte")
    assert at.operator('0,0,"CHINA MOBILE, 4G",7') == ("CHINA MOBILE, 4G", "lte")
    assert at.operator("0") == ("", "")
    assert at.operator("") == ("", "")
