"""Files of /proc and /sys, as kernels write them and as they must not hurt: garbage, vanishing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.watch.kernel_files import inside, number, text, whole
from agent.watch.system import boot, flash, load, power, storage


def put(root: Path, **files: str) -> None:
    """Files by their path with __ for /."""
    for name, said in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(said + "\n")


# -- any text ------------------------------------------------------------------------------


@given(st.text(max_size=200))
def test_no_text_of_a_kernel_raises(said: str) -> None:
    """Every parser takes everything."""
    number(said)
    whole(said)
    storage.mounts(said)
    load.pressure(said)
    flash.life_time(said)
    flash.ext_csd(said)
    boot.named(said)
    boot.kind_of(said)
    boot.watchdog_word(said)


_SUPPLY = st.dictionaries(
    st.sampled_from(sorted(power._FILES)),
    st.text(max_size=12) | st.sampled_from(["Battery", "Mains", "0", "1", "55", "Charging", "-1"]),
)


@given(st.lists(_SUPPLY, max_size=4))
def test_no_power_supply_raises_and_its_charge_is_a_percentage(
    supplies: list[dict[str, str]],
) -> None:
    """Drivers write what they like."""
    found = power.combined(supplies)
    assert found is None or 0 <= found.percent <= 100


@given(st.binary(max_size=300))
def test_a_file_of_any_bytes_is_text(content: bytes) -> None:
    """Not UTF-8, NULs, nothing."""
    path = Path(f"/tmp/posagent-bytes-{os.getpid()}")
    try:
        path.write_bytes(content)
        text(path)
    finally:
        path.unlink()


def test_what_cannot_be_read_is_not_there(tmp_path: Path) -> None:
    """A directory, a dangling link, a loop, a NUL in the name: no text, never an exception."""
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "gone").symlink_to("nowhere")
    for name in ("", "loop", "gone", "a\0b", "absent"):
        assert text(tmp_path / name) == ""
    assert list(inside(tmp_path / "loop")) == []
    assert list(inside(tmp_path / "absent")) == []
    assert storage.device_of(tmp_path / "loop") is None
    assert storage.volume(tmp_path / "absent", 1) is None
    assert storage.existing(tmp_path / "loop/x") == tmp_path.resolve()


def test_an_attribute_that_answers_with_an_error_is_not_there() -> None:
    """As a chip that sleeps does (EIO): reading the memory of process 0 fails like that."""
    assert text(Path("/proc/self/mem")) == ""


# -- storage -------------------------------------------------------------------------------


def test_mounts_with_odd_names_and_options() -> None:
    """Octal escapes; "ro" as a whole option; lines that are none."""
    found = storage.mounts(
        "/dev/a /mnt/a\\040b\\134c ext4 rw,errors=remount-ro 0 0\n/dev/b /b ext4 ro 0 0\nx\n"
    )
    assert [(str(one.point), one.read_only) for one in found] == [
        ("/mnt/a b\\c", False),
        ("/b", True),
    ]


def test_only_wanted_mount_points_that_can_be_written_matter() -> None:
    """An image is always full; what is not mounted there is not looked at."""
    every = storage.mounts(
        "/dev/root / squashfs ro 0 0\n/dev/p1 /data ext4 rw 0 0\n/dev/p2 /data f2fs rw 0 0\n"
    )
    assert [one.device for one in storage.further(["/", "/data", "/sd"], every)] == ["/dev/p2"]


def test_errors_of_a_file_system_are_counted_by_the_kernel(tmp_path: Path) -> None:
    """Only where it counts them."""
    put(tmp_path, sys__fs__ext4__mmcblk0p7__errors_count="3")
    (one, other) = storage.mounts("/dev/mmcblk0p7 /var ext4 rw 0 0\ntmpfs /run tmpfs rw 0 0")
    assert storage.errors(tmp_path, one) == 3
    assert storage.errors(tmp_path, other) is None


# -- flash ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "percent"),
    [("0x01 0x01", 10), ("0x02 0x0a", 100), ("0x0b 0x01", 110), ("0x00 0x00", None),
     ("0x0f", None), ("", None)],
)  # fmt: skip
def test_life_time_is_the_worse_area_in_tenths(said: str, percent: int | None) -> None:
    """0 is "not defined", and so is what the standard does not name."""
    assert flash.life_time(said) == percent


def test_the_internal_flash_is_told_and_a_card_is_not(tmp_path: Path) -> None:
    """Boot partitions of the same chip are not devices of their own."""
    put(
        tmp_path,
        sys__block__mmcblk0__device__type="MMC",
        sys__block__mmcblk0__device__life_time="0x09 0x03",
        sys__block__mmcblk0__device__pre_eol_info="0x02",
        sys__block__mmcblk0boot0__device__life_time="0x0b 0x0b",
        sys__block__mmcblk1__device__type="SD",
        sys__block__mmcblk1__device__life_time="0x0b 0x0b",
    )
    assert flash.wear(tmp_path) == flash.Wear(device="mmcblk0", percent=90, reserve="warning")


def test_an_old_kernel_has_it_in_debugfs_only(tmp_path: Path) -> None:
    """EXT_CSD as it is printed there; cut short it tells nothing."""
    register = bytearray(512)
    register[267:270] = bytes((3, 4, 5))
    put(tmp_path, sys__block__mmcblk2__device__type="MMC")
    put(tmp_path, **{"sys__kernel__debug__mmc2__mmc2:0001__ext_csd": register.hex()})
    assert flash.wear(tmp_path) == flash.Wear(device="mmcblk2", percent=50, reserve="urgent")
    put(tmp_path, **{"sys__kernel__debug__mmc2__mmc2:0001__ext_csd": register.hex()[:-2]})
    assert flash.wear(tmp_path) is None


def test_ufs_has_a_descriptor(tmp_path: Path) -> None:
    """Phones and the terminals made like them."""
    where = "sys__bus__platform__drivers__ufshcd__1d84000.ufshc__health_descriptor__"
    put(
        tmp_path,
        **{
            f"{where}eol_info": "0x01",
            f"{where}life_time_estimation_a": "0x02",
            f"{where}life_time_estimation_b": "0x01",
        },
    )
    assert flash.wear(tmp_path) == flash.Wear(device="1d84000.ufshc", percent=20, reserve="normal")


# -- load ----------------------------------------------------------------------------------


def test_pressure_and_load(tmp_path: Path) -> None:
    """Shares of the last minute; a share of 250 % is none."""
    put(
        tmp_path,
        proc__pressure__memory="some avg10=1.00 avg60=2.50 avg300=0.10 total=99\n"
        "full avg10=0.00 avg60=1.25 avg300=0.00 total=50",
        proc__pressure__io="full avg10=0.00 avg60=250.00 avg300=x total=1",
        proc__loadavg="3.25 2.00 1.00 2/900 12345",
    )
    assert load.stalled(tmp_path, "memory", "full") == 1.25
    assert load.stalled(tmp_path, "io", "full") is None
    assert load.stalled(tmp_path, "cpu", "some") is None
    assert load.load_1m(tmp_path) == 3.25


def test_the_hottest_zone_has_a_name_and_a_board_without_zones_its_sensors(tmp_path: Path) -> None:
    """A sensor that is not connected reads -273 or 200."""
    put(
        tmp_path,
        sys__class__hwmon__hwmon0__name="cpu_thermal",
        sys__class__hwmon__hwmon0__temp1_input="61000",
        sys__class__hwmon__hwmon0__temp2_input="nan",
    )
    assert load.hottest(tmp_path) == (61.0, "cpu_thermal")
    put(
        tmp_path,
        sys__class__thermal__thermal_zone0__type="soc",
        sys__class__thermal__thermal_zone0__temp="48500",
        sys__class__thermal__thermal_zone1__temp="200000",
    )
    assert load.hottest(tmp_path) == (48.5, "soc")


# -- power ---------------------------------------------------------------------------------


def cell(capacity: str, status: str = "Discharging", **more: str) -> dict[str, str]:
    return {"type": "Battery", "capacity": capacity, "status": status, **more}


def test_two_batteries_are_one_store_of_energy() -> None:
    """Weighed by size where both tell it; a battery in a drawer is not counted."""
    small, large = cell("10", energy_full="1000"), cell("90", energy_full="3000")
    found = power.combined([small, large, cell("1", present="0")])
    assert found is not None
    assert (found.percent, found.count) == (70, 2)
    unknown = power.combined([cell("10"), large])
    assert unknown is not None
    assert unknown.percent == 50


def test_not_charging_with_the_charger_in_place_is_an_answer_of_its_own() -> None:
    """Too hot, too cold, or a supply too weak."""
    found = power.combined(
        [cell("9", "Not charging", health="Overheat"), {"type": "Mains", "online": "1"}]
    )
    assert found is not None
    assert (found.status, found.external, found.health, found.powered) == (
        "not_charging", True, "overheat", True,
    )  # fmt: skip


def test_a_worn_battery_tells_cycles_and_what_it_still_holds() -> None:
    """Of the weakest and the most used one; nonsense is not told."""
    found = power.combined(
        [
            cell("50", cycle_count="812", charge_full="2100", charge_full_design="3000"),
            cell("50", health="Good", cycle_count="-1", charge_full="9", charge_full_design="0"),
        ]
    )
    assert found is not None
    assert (found.cycles, found.capacity_percent, found.health) == (812, 70, "good")


# -- the last start ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("kernel_panic", "panic"), ("reboot,kernel-panic", "panic"), ("watchdog,apps", "watchdog"),
        ("shutdown,thermal", "overheated"), ("shutdown,battery", "power"), ("cold", ""),
        ("reboot,userrequested", ""), ("reboot,changed_settings", ""), ("", ""),
    ],
)  # fmt: skip
def test_boot_reasons_are_sorted_into_kinds(reason: str, kind: str) -> None:
    """A word nobody knows is shown and judged by nobody."""
    assert boot.kind_of(reason) == kind


def test_the_reason_is_looked_for_where_boards_put_it(tmp_path: Path) -> None:
    """The newer boot configuration, the command line, the device tree."""
    assert boot.boot(tmp_path) == boot.Boot()
    put(tmp_path, **{"proc__device-tree__chosen__reset-reason": "por_reset\0"})
    assert boot.boot(tmp_path).kind == "power"
    put(tmp_path, proc__cmdline="quiet androidboot.bootreason=watchdog root=/dev/x")
    assert (boot.boot(tmp_path).reason, boot.boot(tmp_path).crashed) == ("watchdog", True)
    put(tmp_path, proc__bootconfig='androidboot.bootreason = "reboot,userrequested"')
    assert not boot.boot(tmp_path).crashed


@pytest.mark.parametrize(
    ("flags", "word"), [("32", "watchdog"), ("0x20", "watchdog"), ("0", ""), ("16", "power_under"),
                        ("33", "watchdog"), ("-1", ""), ("x", "")]
)  # fmt: skip
def test_the_watchdogs_flags(flags: str, word: str) -> None:
    """<linux/watchdog.h>; the dog itself before what made it bite."""
    assert boot.watchdog_word(flags) == word


def test_a_watchdog_speaks_where_the_bootloader_knows_nothing_better(tmp_path: Path) -> None:
    """Its word is added to one that means nothing."""
    put(tmp_path, sys__class__watchdog__watchdog0__bootstatus="32", proc__cmdline="bootreason=warm")
    assert boot.boot(tmp_path).reason == "warm,watchdog"


def test_crash_records_are_told_apart_from_console_logs(tmp_path: Path) -> None:
    """A console log is kept of every warm restart."""
    put(
        tmp_path,
        **{
            "sys__fs__pstore__console-ramoops-0": "fine",
            "sys__fs__pstore__dmesg-ramoops-0": "Oops",
            "var__lib__systemd__pstore__7301__dmesg.txt": "Panic",
        },
    )
    names = [one.partition("@")[0] for one in boot.boot(tmp_path).records]
    assert names == ["dmesg-ramoops-0", "7301"]
