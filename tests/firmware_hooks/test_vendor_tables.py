"""Every native code of every vendor, one by one, and everything that is no code at all."""

from __future__ import annotations

import json
import random
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from tests.firmware_hooks.expected_codes import (
    BUSY,
    CAUSES,
    CUTTER_WELL,
    EXPECTED,
    JOB,
    NORMAL,
    UNKNOWN,
    VOUCHED,
)
from tests.firmware_hooks.hooks_on_disk import VENDORS, keeps_contract, load

native_code = load(VENDORS / "native_code.py")
reading = native_code.reading

TABLES = sorted(EXPECTED)
CODES = [(vendor, table, code) for vendor, table in TABLES for code in EXPECTED[vendor, table]]
EXACT = [
    one for one in TABLES
    if one not in {("verifone_android", "printer"), ("newland", "ndk"), ("newland", "android")}
    and all(isinstance(code, int) for code in EXPECTED[one])
]  # fmt: skip
WORDS = [one for one in TABLES if one[1] == "broadcast" or one == ("kozen", "printer")]
FAULTS = {
    "paper_out", "paper_low", "paper_jam", "cover_open", "cutter_fault", "overheated",
    "hardware_fault", "low_voltage", "ink_out", "offline",
}  # fmt: skip


def table_of(vendor: str, name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((VENDORS / vendor / f"{name}.json").read_text("utf-8"))
    return loaded


def answer(vendor: str, name: str, native: Any, model: str = "") -> dict[str, Any]:
    """The decoded message, held against the contract."""
    message: dict[str, Any] = reading(table_of(vendor, name), native, model)
    keeps_contract(message)
    return message


def native_of(vendor: str, code: int | str) -> Any:
    """The table writes a field of an object as `field=value`."""
    if vendor == "feitian":
        field, _, value = str(code).partition("=")
        return {field: json.loads(value)}
    return code


def true_keys(state: dict[str, Any]) -> set[str]:
    return {key for key, value in state.items() if value is True and key in FAULTS}


@pytest.mark.parametrize(("vendor", "name", "code"), CODES)
def test_each_code_means_what_its_source_says(vendor: str, name: str, code: int | str) -> None:
    """Code by code, against expectations that were not read from the table."""
    expected = EXPECTED[vendor, name][code]
    told = answer(vendor, name, native_of(vendor, code))
    if expected == UNKNOWN:
        assert told["outcome"] == "unknown"
        assert told.get("code", "") == CAUSES.get((vendor, name, code), "")
        assert "state" not in told
        return
    assert told["outcome"] == "reading"
    state = told["state"]
    if expected == NORMAL:
        assert not true_keys(state)
        assert {key for key, value in state.items() if value is False} == (
            VOUCHED[vendor, name] | ({"offline", "busy"} if vendor != "wizarpos" else set())
        )
        assert "error" not in state
    elif expected == BUSY:
        assert state == {"busy": True}
    elif expected == JOB:
        assert state == {}
    elif expected.endswith("=False"):
        assert state == {expected.removesuffix("=False"): False}
    else:
        assert true_keys(state) == {expected}
        assert str(code) in state["error"]
        assert state.get("offline_reason", "error") == "error"


@pytest.mark.parametrize(("vendor", "name"), TABLES)
def test_the_table_holds_exactly_the_codes_that_are_known(vendor: str, name: str) -> None:
    """No code is lost, none is added without an expectation."""
    codes = [entry["code"] for entry in table_of(vendor, name)["codes"]]
    assert len(codes) == len(set(codes))
    assert set(codes) == set(EXPECTED[vendor, name])


@pytest.mark.parametrize(("vendor", "name"), EXACT)
def test_any_other_number_is_unknown_with_its_raw_value(vendor: str, name: str) -> None:
    """All bytes, all signed bytes, the neighbours of every code, and the ends of every range."""
    known = set(EXPECTED[vendor, name])
    if vendor == "pax":
        known |= {code - 256 for code in known if isinstance(code, int) and code >= 128}
    numbers = {*range(-256, 512), 2**31 - 1, -(2**31), 2**31, -(2**31) - 1, 2**63, -(2**63), 2**70}
    for code in EXPECTED[vendor, name]:
        assert isinstance(code, int)
        numbers |= {code - 1, code + 1, -code, code + 256, code - 256, code + 2**16, code + 2**32}
    for number in numbers - known:
        told = answer(vendor, name, number)
        assert told["outcome"] == "unknown", number
        assert str(told["raw"]) == str(number)
        assert str(number) in told["reason"]


@pytest.mark.parametrize(("vendor", "name"), TABLES)
@pytest.mark.parametrize(
    "native",
    [True, False, None, 1.0, 2.5, "", " ", "ok", "0x", "1e1", "1_0", "٣", [], [2], {}, {"x": 1},
     "9" * 5000, "\x00", "\ud800", [[[[]]]]],
    ids=repr,
)  # fmt: skip
def test_what_is_no_code_is_unknown(vendor: str, name: str, native: Any) -> None:
    """True is not 1, and words, lists and nothing are no numbers."""
    told = answer(vendor, name, native)
    assert told["outcome"] == "unknown"
    assert len(told["reason"]) <= 300


@pytest.mark.parametrize(("vendor", "name"), WORDS)
def test_a_word_must_be_exactly_the_vendors(vendor: str, name: str) -> None:
    """The misspelt actions as they are spelt, and numbers are no words."""
    words = [str(word) for word in EXPECTED[vendor, name]]
    for word in words:
        for other in (word.lower(), word + "X", word[:-1], word.replace("ACITON", "ACTION")):
            if other not in words:
                assert answer(vendor, name, other)["outcome"] == "unknown"
    assert answer(vendor, name, 0)["outcome"] == "unknown"


def test_pax_bytes_may_be_signed_or_not() -> None:
    """-6 is 250 and -16 is 240, but 258 is not 2."""
    for unsigned in range(128, 256):
        one, other = (
            answer("pax", "printer", unsigned),
            answer("pax", "printer", unsigned - 256),
        )
        assert (one["raw"], other["raw"]) == (unsigned, unsigned - 256)
        assert one["outcome"] == other["outcome"]
        assert one.get("state") == other.get("state")
    for number in (256, 258, 496, -129, -254):
        assert answer("pax", "printer", number)["outcome"] == "unknown"


def test_pax_models_without_a_cover_sensor_say_nothing_of_the_cover() -> None:
    """`normal` of an A920 vouches for neither cover nor cutter; of an E800 for both."""
    assert not {"cover_open", "cutter_fault"} & set(answer("pax", "printer", 0, "A920Pro")["state"])
    assert answer("pax", "printer", 0, "E800")["state"]["cutter_fault"] is False
    assert answer("pax", "printer", 0, "sk600")["state"]["cover_open"] is False
    assert "cutter_fault" not in answer("pax", "printer", 0, "SK600")["state"]


def test_all_bits_of_verifone_in_all_combinations() -> None:
    """Every set bit is told, and a bit that is not set proves nothing."""
    bits = {code: key for code, key in EXPECTED["verifone_android", "printer"].items() if code}
    for value in range(1, 1024):
        known = {key for bit, key in bits.items() if value & int(bit)}
        told = answer("verifone_android", "printer", value)
        # A number beyond the eight bits is something else: its low bits are no faults.
        if value > 255:
            assert told["outcome"] == "unknown"
            continue
        assert true_keys(told["state"]) == known, value
        assert False not in told["state"].values()


def test_newland_reads_voltage_and_destroyed_as_one_field() -> None:
    """112 and 113 share bits 16, 32 and 64; half of the pattern is no voltage fault."""
    bits = {2: "paper_out", 4: "overheated"}
    fields = {0: None, 112: "low_voltage", 113: "hardware_fault"}
    for value in range(1, 256):
        field = value & 113
        faults = {key for bit, key in bits.items() if value & bit}
        strange = field not in fields or bool(value & 128)
        if fields.get(field):
            faults.add(str(fields[field]))
        told = answer("newland", "ndk", value)
        if strange and not faults:
            assert told["outcome"] == "unknown", value
            continue
        assert told["outcome"] == "reading", value
        assert true_keys(told["state"]) == faults, value
        assert told["state"].get("busy") is (True if value & 8 else None)
        assert ("unknown_bits" in told["facts"]) is strange


def test_newland_paper_hides_heat_and_heat_hides_voltage() -> None:
    """What stands above the reported one is well, what stands below cannot be told."""
    assert "overheated" not in answer("newland", "ndk", 2)["state"]
    heat = answer("newland", "ndk", 4)["state"]
    assert heat["paper_out"] is False
    assert "low_voltage" not in heat
    voltage = answer("newland", "ndk", 112)["state"]
    assert voltage["paper_out"] is False
    assert voltage["overheated"] is False


def test_newlands_two_lists_are_not_one() -> None:
    """12 may be voltage or heat while busy on Android: never told as either; 1024 is not 113."""
    assert answer("newland", "android", 12)["outcome"] == "unknown"
    assert answer("newland", "android", 12 | 64)["outcome"] == "unknown"
    for other, key in ((2, "paper_out"), (512, "cutter_fault"), (2048, "cover_open")):
        assert true_keys(answer("newland", "android", 12 | other)["state"]) == {key}
    for pair in combinations((2, 512, 1024, 2048), 2):
        assert len(true_keys(answer("newland", "android", pair[0] | pair[1])["state"])) == 2
    assert answer("newland", "android", 112)["outcome"] == "unknown"
    assert answer("newland", "ndk", 1024)["outcome"] == "unknown"


#: communication > cutter > heat > cover > paper > black mark, with the code that reports each.
SUNMI_ORDER = ((7, "cutter_fault"), (5, "overheated"), (6, "cover_open"), (4, "paper_out"))


@pytest.mark.parametrize("rank", range(len(SUNMI_ORDER)))
def test_sunmi_reports_only_the_worst(rank: int) -> None:
    """A fault says that what stands above it is well, and nothing of what stands below it."""
    code, key = SUNMI_ORDER[rank]
    state = answer("sunmi", "state", code)["state"]
    assert state[key] is True
    assert {k for k, v in state.items() if v is False} == {k for _, k in SUNMI_ORDER[:rank]}
    assert not set(state) & {k for _, k in SUNMI_ORDER[rank + 1 :]}


def test_sunmi_black_mark_stands_below_everything() -> None:
    """Code 9 says that cutter, heat, cover and paper are well."""
    state = answer("sunmi", "state", 9)["state"]
    assert {k for k, v in state.items() if v is False} == {k for _, k in SUNMI_ORDER}


def test_sunmi_cover_not_fully_closed_masks_as_the_cover_does() -> None:
    """Code 10 is a cover; 8 speaks of the cutter alone and clears nothing else."""
    state = answer("sunmi", "state", 10)["state"]
    assert {k for k, v in state.items() if v is False} == {"cutter_fault", "overheated"}
    assert answer("sunmi", "state", 8)["state"] == {"cutter_fault": False}


def test_feitian_object_is_read_field_by_field() -> None:
    """Known fields are told together, shown ones never judged, a strange value makes it unknown."""
    told = answer(
        "feitian",
        "printer",
        {"mIsHavePaper": False, "mIsLowBattery": False, "mTemperature": 99, "other": 1},
    )
    assert told["state"]["paper_out"] is True
    assert told["state"]["low_voltage"] is False
    assert told["facts"]["m_temperature"] == "99"
    assert "overheated" not in told["state"]
    for value in ("false", 0, None, 2):
        wrong = {"mIsHavePaper": value, "mIsLowBattery": False}
        assert answer("feitian", "printer", wrong)["outcome"] == "unknown"
    assert answer("feitian", "printer", {"mTemperature": 30})["outcome"] == "unknown"


def test_numbers_may_come_as_text() -> None:
    """A bridge that writes `0x1008` or `-1005` is understood; 1008 is not 0x1008."""
    assert true_keys(answer("centerm", "printer", "0x1008")["state"]) == {"paper_out"}
    assert true_keys(answer("nexgo", "printer", " -1005\n")["state"]) == {"paper_out"}
    assert answer("centerm", "printer", 1008)["outcome"] == "unknown"
    assert answer("centerm", "printer", "1008")["outcome"] == "unknown"


def test_positive_codes_of_urovo_are_not_guessed() -> None:
    """One wrapper counts upwards; the vendor's class counts downwards."""
    for number in range(1, 300):
        assert answer("urovo", "printer", number)["outcome"] == "unknown"


@pytest.mark.parametrize(("vendor", "name"), TABLES)
def test_random_values_never_turn_into_normal(vendor: str, name: str) -> None:
    """Two thousand numbers: only the documented one means that all is well."""
    chance = random.Random(f"{vendor}/{name}")
    table = table_of(vendor, name)
    meanings = EXPECTED[vendor, name]
    well = {code for code in meanings if meanings[code] in (NORMAL, CUTTER_WELL)}
    for _ in range(2000):
        number = chance.randrange(-(2**33), 2**33) >> chance.randrange(33)
        message = reading(table, number)
        if message["outcome"] == "reading" and number not in well and number:
            state = message["state"]
            assert state.get("error") or state.get("busy") or False not in state.values(), number


# --- the tables as files --------------------------------------------------------------------------


def test_every_vendor_has_a_table_a_hook_and_a_readme() -> None:
    """Eighteen folders, each complete, and no table without expectations."""
    folders = {path.parent.name for path in VENDORS.glob("*/*")} - {"__pycache__"}
    assert folders == {vendor for vendor, _ in TABLES}
    assert len(folders) == 18
    for folder in folders:
        names = {path.name for path in (VENDORS / folder).iterdir()}
        tables = {f"{name}.json" for vendor, name in TABLES if vendor == folder}
        assert names == {"README.md", "probe.printer", *tables}


def test_no_table_is_shared() -> None:
    """Not a link, not the same file, not the same bytes; one number means different things."""
    files = sorted(VENDORS.glob("*/*.json"))
    assert len(files) == len(TABLES)
    assert not [path for path in VENDORS.rglob("*") if path.is_symlink()]
    assert len({(path.stat().st_dev, path.stat().st_ino) for path in files}) == len(files)
    assert len({path.read_bytes() for path in files}) == len(files)
    meanings = {
        vendor: str(answer(vendor, name, 2).get("state", "unknown"))
        for vendor, name in TABLES
        if name in ("printer", "state", "ndk", "usb_thermal")
    }
    assert meanings["sunmi"] != meanings["pax"] != meanings["telpo"] != meanings["epson_epos2"]


def test_tables_are_separate_objects_in_memory() -> None:
    """Changing one vendor's table changes no other's answer."""
    landi, x990 = table_of("landi", "printer"), table_of("verifone_x990", "printer")
    before = reading(x990, 0xF0)
    landi["codes"].clear()
    assert reading(landi, 0xF0)["outcome"] == "unknown"
    assert reading(x990, 0xF0) == before
    assert reading(table_of("ingenico_usdk", "printer"), 0xF0)["outcome"] == "reading"


@pytest.mark.parametrize("path", sorted(VENDORS.glob("*/*.json")), ids=lambda p: f"{p.parent.name}")
def test_each_table_says_where_it_is_from_and_how_sure(path: Path) -> None:
    """Sources, a degree of sureness for each code, and nothing claimed as seen on a device."""
    table = json.loads(path.read_text("utf-8"))
    assert table["sources"]
    assert all(len(source) > 10 for source in table["sources"])
    for entry in table["codes"]:
        # "observed" means seen on a device: no device was at hand.
        assert entry.get("sure", table["sure"]) in {"documented", "reported", "deduced"}
        assert entry["says"] in {"normal", "fault", "busy", "job", "unknown"}
        assert ("state" in entry) is (entry["says"] == "fault")
        assert ("reason" in entry) is (entry["says"] == "unknown")
        if "reason" in entry:
            assert set(entry["reason"]) == {"en", "zh"}
            assert all(0 < len(text) <= 300 for text in entry["reason"].values())


def test_what_a_table_can_raise_its_normal_ends() -> None:
    """No fault stays for ever, except with a wrapper that only ever speaks of errors."""
    for vendor, name in TABLES:
        table = table_of(vendor, name)
        said = [entry.get("state", {}) for entry in table["codes"]]
        raised = {key for state in said for key, value in state.items() if value is True}
        ended = {key for state in said for key, value in state.items() if value is False}
        if (vendor, name) != ("kozen", "wrapper"):
            assert raised <= set(table["normal"]) | ended, (vendor, name)


def test_causes_are_released_ones() -> None:
    """No table invents a cause code."""
    released = (Path(__file__).parent.parent / "fixtures" / "cause-codes.txt").read_text("utf-8")
    codes = {line.split()[0] for line in released.splitlines() if not line.startswith("#")}
    for vendor, name in TABLES:
        for entry in table_of(vendor, name)["codes"]:
            assert entry.get("cause", "printer.not_answering") in codes


def test_the_overview_counts_what_there_is() -> None:
    """docs/hardware/vendors.md names each folder with its number of codes and how sure they are."""
    page = (VENDORS.parent.parent / "docs" / "hardware" / "vendors.md").read_text("utf-8")
    for folder in sorted({vendor for vendor, _ in TABLES}):
        sure: list[str] = []
        for vendor, name in TABLES:
            if vendor == folder:
                table = table_of(vendor, name)
                sure += [entry.get("sure", table["sure"]) for entry in table["codes"]]
        degrees = ("documented", "reported", "deduced")
        counted = ", ".join(f"{one} {sure.count(one)}" for one in degrees if one in sure)
        row = next(line for line in page.splitlines() if f"vendors/{folder}/README.md" in line)
        assert f"| {len(sure)} | {counted} |" in row
