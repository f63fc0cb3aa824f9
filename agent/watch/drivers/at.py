"""What a modem says on an AT port: how its answer ends, and what the lines in it mean.

Every table is 3GPP TS 27.007's unless a maker is named beside it. Decides what is an answer and
what merely arrived meanwhile, and what a figure may be believed to be; refuses to know ports and
time. Nothing here asks for IMEI, IMSI or ICCID, and a line that holds such a number anyway is not
handed on. Two makers put LTE figures where the standard has others (u-blox SARA-R4: RSRP in CSQ's
first, RSRQ in its second; Telit: RSRQ in the second): on LTE, CSQ is marked as mapped and never
compared with anything. Never raises on what a port may send.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from agent.record import dataclass
from agent.watch.quality.facts import Registration, SimState

#: More than this is no answer to any question asked here.
ANSWER_MAX_BYTES = 4_096

_FINAL = re.compile(r"^(OK|ERROR|NO CARRIER|COMMAND NOT SUPPORT|\+CM[ES] ERROR:\s*(.*))$")
#: IMEI has 15 digits, IMSI 15, ICCID 18 to 20 (some end in F).
_IDENTITY = re.compile(r"\d{14,}")
_STRING = re.compile(r'"([^"]*)"|([^,]*)')


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """All a modem said to one command."""

    lines: tuple[str, ...]
    ok: bool
    error: str = ""  #: what follows `+CME ERROR:`; "" where it only said ERROR

    def after(self, prefix: str) -> list[str]:
        """What follows `+CSQ:` and the like, in each line that has it."""
        head = f"{prefix}:"
        return [line[len(head) :].strip() for line in self.lines if line.startswith(head)]


def answer_in(received: bytes, command: str) -> Answer | None:
    """The finished answer in everything received since `command`; None while it is not finished.

    An echo is left out. So is every line with a number long enough to identify somebody.
    """
    text = received[-ANSWER_MAX_BYTES:].decode("ascii", "replace").replace("\r", "\n")
    if not text.endswith("\n"):
        text = text[: text.rfind("\n") + 1]  # the line still coming in
    lines: list[str] = []
    for line in filter(None, (one.strip() for one in text.split("\n"))):
        final = _FINAL.match(line)
        if final is not None:
            return Answer(lines=tuple(lines), ok=line == "OK", error=(final[2] or "").strip())
        if line != command and not _IDENTITY.search(line):
            lines.append(line)
    return None


def fields(told: str) -> list[str]:
    """`0,0,"CHINA MOBILE, 4G",7` -> its fields without quotes."""
    found: list[str] = []
    place = 0
    while place <= len(told) and len(found) < 40:
        match = _STRING.match(told, place)
        if match is None:
            break
        found.append((match[1] if match[1] is not None else match[2] or "").strip())
        place = told.find(",", match.end())
        if place < 0:
            break
        place += 1
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """Figures of one answer; what it does not tell is None."""

    rssi_dbm: float | None = None
    rsrp_dbm: float | None = None
    rsrq_db: float | None = None
    sinr_db: float | None = None
    mapped: bool = False


def csq(told: str, technology: str = "") -> Signal:
    """`+CSQ: 23,99`. On LTE, or where nobody knows on what, it may be made of another figure."""
    index = _index(fields(told), 0)
    rssi: float | None = None
    if index is not None and 0 <= index <= 31:
        rssi = -113.0 + 2 * index
    elif index is not None and 100 <= index <= 191:
        rssi = -116.0 + (index - 100)  # TD-SCDMA, Quectel
    return Signal(rssi_dbm=rssi_of(rssi), mapped=technology not in MEANS_RSSI)


def cesq(told: str) -> Signal:
    """`+CESQ: 99,99,255,255,20,55`: rxlev, ber, rscp, ecno, rsrq, rsrp; with NR three more."""
    told_fields = fields(told)
    rxlev, rscp = _index(told_fields, 0), _index(told_fields, 2)
    rsrq, rsrp = _index(told_fields, 4), _index(told_fields, 5)
    nr_rsrq, nr_rsrp, nr_sinr = (_index(told_fields, place) for place in (6, 7, 8))
    rssi: float | None = None
    if rxlev is not None and 0 <= rxlev <= 63:
        rssi = rxlev - 110.0
    elif rscp is not None and 0 <= rscp <= 96:
        rssi = rscp - 120.0
    found_rsrp = rsrp - 140.0 if rsrp is not None and 0 <= rsrp <= 97 else None
    found_rsrq = rsrq / 2 - 19.5 if rsrq is not None and 0 <= rsrq <= 34 else None
    if found_rsrp is None and nr_rsrp is not None and 0 <= nr_rsrp <= 126:
        found_rsrp = nr_rsrp - 156.0
    if found_rsrq is None and nr_rsrq is not None and 0 <= nr_rsrq <= 126:
        found_rsrq = nr_rsrq / 2 - 43.0
    sinr = nr_sinr / 2 - 23.0 if nr_sinr is not None and 0 <= nr_sinr <= 127 else None
    return Signal(
        rssi_dbm=rssi_of(rssi), rsrp_dbm=rsrp_of(found_rsrp), rsrq_db=found_rsrq, sinr_db=sinr
    )


def qcsq(told: str) -> Signal:
    """Quectel `+QCSQ: "LTE",-52,-81,195,-10`: rssi, rsrp, sinr (on a scale of its own), rsrq."""
    told_fields = fields(told)
    rssi = rssi_of(_number(told_fields, 1))
    if not told_fields or SYSTEM_MODES.get(told_fields[0].upper(), "") not in HAS_RSRP:
        return Signal(rssi_dbm=rssi)
    return Signal(
        rssi_dbm=rssi,
        rsrp_dbm=rsrp_of(_number(told_fields, 2)),
        rsrq_db=_rsrq(_number(told_fields, 4)),
    )


def serving_cell(told: str) -> tuple[Signal, str] | None:
    """Quectel `+QENG: "servingcell","NOCONN","LTE",…`: signal and technology; None: no cell.

    Where the cell is (numbers 6 and 12) is left where it is.
    """
    told_fields = fields(told)
    if len(told_fields) < 3 or told_fields[0] != "servingcell":
        return None
    technology = SYSTEM_MODES.get(told_fields[2].upper(), "")
    if technology not in HAS_RSRP or len(told_fields) < 16:
        return (Signal(), technology) if technology else None
    signal = Signal(
        rsrp_dbm=rsrp_of(_number(told_fields, 13)),
        rsrq_db=_rsrq(_number(told_fields, 14)),
        rssi_dbm=rssi_of(_number(told_fields, 15)),
    )
    return signal, technology


def registration(told: Sequence[str]) -> tuple[Registration, str]:
    """The answers to CREG?, CGREG? and CEREG?: the best of them, and the technology it names.

    A line of its own accord has no mode before the state (`+CREG: 1`); both are understood.
    """
    best, technology = Registration.UNKNOWN, ""
    for line in told:
        told_fields = fields(line)
        # An answer is `mode,state,…`; a modem's own word is `state` or `state,"area",…`, and an
        # area may be all digits.
        second = line.split(",")[1].strip() if "," in line else ""
        place = 1 if second.isdecimal() and len(second) <= 2 else 0
        found = REGISTRATIONS.get(_index(told_fields, place), Registration.UNKNOWN)
        if _RANK.index(found) > _RANK.index(best):
            best = found
        used = ACCESS.get(_index(told_fields, place + 3), "")
        if used and found in (Registration.HOME, Registration.ROAMING):
            technology = used
    return best, technology


def sim_state(answer: Answer) -> SimState:
    """The answer to CPIN?."""
    for told in answer.after("+CPIN"):
        return SIM_WORDS.get(told.upper(), SimState.LOCKED if told else SimState.UNKNOWN)
    if answer.ok or not answer.error:
        return SimState.UNKNOWN
    error = answer.error.upper()
    number = int(error) if error.isdecimal() and len(error) < 5 else None
    if number is not None:
        return SIM_ERRORS.get(number, SimState.UNKNOWN)
    return next((state for word, state in SIM_ERROR_WORDS if word in error), SimState.UNKNOWN)


def operator(told: str) -> tuple[str, str]:
    """`+COPS: 0,2,"46000",7`: the operator and the technology; "" for what it does not say."""
    told_fields = fields(told)
    name = told_fields[2][:32] if len(told_fields) > 2 else ""
    clean = "".join(one for one in name if one.isprintable() and one != "\ufffd")
    return clean, ACCESS.get(_index(told_fields, 3), "")


def rssi_of(value: float | None) -> float | None:
    """`value` where a modem can hear that (CSQ ends at -113, RSCP at -120)."""
    return value if value is not None and -120 <= value <= -25 else None


def rsrp_of(value: float | None) -> float | None:
    """`value` where it can be an RSRP (3GPP TS 36.133: -140 to -44; NR from -156 to -31)."""
    return value if value is not None and -156 <= value <= -31 else None


def _rsrq(value: float | None) -> float | None:
    return value if value is not None and -43 <= value <= 20 else None


def _index(told: Sequence[str], place: int) -> int | None:
    number = _number(told, place)
    return int(number) if number is not None else None


def _number(told: Sequence[str], place: int) -> float | None:
    word = told[place] if place < len(told) else ""
    digits = word.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 6:
        return None
    return float(word)


#: +COPS, +CREG: AcT.
ACCESS: Mapping[int | None, str] = {
    0: "gsm", 1: "gsm", 2: "umts", 3: "edge", 4: "hsdpa", 5: "hsupa", 6: "hspa",
    7: "lte", 8: "gsm", 9: "nb_iot", 10: "lte", 11: "nr", 12: "nr", 13: "lte",
}  # fmt: skip
#: Quectel's names of the same.
SYSTEM_MODES: Mapping[str, str] = {
    "GSM": "gsm", "WCDMA": "umts", "TDSCDMA": "umts", "HSPA": "hspa", "LTE": "lte",
    "EMTC": "lte_m", "CAT-M1": "lte_m", "NBIOT": "nb_iot", "CAT-NB1": "nb_iot",
    "NR5G-SA": "nr", "NR5G-NSA": "lte",
}  # fmt: skip
#: Where a modem has RSRP and RSRQ, and CSQ may be its translation of them.
HAS_RSRP = frozenset({"lte", "lte_m", "nb_iot", "nr"})
#: Where CSQ is the received signal and nothing else.
MEANS_RSSI = frozenset({"gsm", "edge", "umts", "hsdpa", "hsupa", "hspa"})
REGISTRATIONS: Mapping[int | None, Registration] = {
    0: Registration.IDLE,
    1: Registration.HOME,
    2: Registration.SEARCHING,
    3: Registration.DENIED,
    5: Registration.ROAMING,
    6: Registration.HOME,  # short messages only
    7: Registration.ROAMING,
    8: Registration.EMERGENCY,
    9: Registration.HOME,
    10: Registration.ROAMING,
}
#: What counts of several domains: data by one of them is enough.
_RANK = (
    Registration.UNKNOWN,
    Registration.OFF,
    Registration.IDLE,
    Registration.EMERGENCY,
    Registration.SEARCHING,
    Registration.DENIED,
    Registration.ROAMING,
    Registration.HOME,
)
SIM_WORDS: Mapping[str, SimState] = {
    "READY": SimState.READY,
    "SIM PIN": SimState.PIN_REQUIRED,
    "SIM PUK": SimState.PUK_REQUIRED,
    # The second code guards lists of numbers, not the network.
    "SIM PIN2": SimState.READY,
    "SIM PUK2": SimState.READY,
    "NOT INSERTED": SimState.ABSENT,
    "NOT READY": SimState.NOT_READY,
}
#: +CME ERROR with +CMEE=1.
SIM_ERRORS: Mapping[int, SimState] = {
    5: SimState.LOCKED,
    10: SimState.ABSENT,
    11: SimState.PIN_REQUIRED,
    12: SimState.PUK_REQUIRED,
    13: SimState.FAILED,
    14: SimState.NOT_READY,
    15: SimState.FAILED,
    17: SimState.READY,  # PIN2
    18: SimState.READY,  # PUK2
    262: SimState.LOCKED,
}
#: The same with +CMEE=2, longest first.
SIM_ERROR_WORDS: tuple[tuple[str, SimState], ...] = (
    ("SIM NOT INSERTED", SimState.ABSENT),
    ("SIM PIN REQUIRED", SimState.PIN_REQUIRED),
    ("SIM PUK REQUIRED", SimState.PUK_REQUIRED),
    ("SIM FAILURE", SimState.FAILED),
    ("SIM BUSY", SimState.NOT_READY),
    ("SIM WRONG", SimState.FAILED),
)
