"""A device that says less is the same device; one that says something else is another."""

from __future__ import annotations

import pytest

from agent.core.fleet.inventory import (
    Item,
    ItemChange,
    covered,
    fields,
    item,
    masked,
    recovered,
    update,
)
from agent.core.health.reading import NotFitted, NotObservable, Outcome, Reading, Unknown

DAY_MS = 86_400_000


def printer(**facts: str) -> Item:
    return Item(component="printer", **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        (None, printer(model="TM-T88"), "added"),
        (printer(model="TM-T88"), None, "removed"),
        (printer(model="TM-T88"), printer(model="TM-m30"), "changed"),
    ],
)
def test_a_change_has_a_word(before: Item | None, after: Item | None, what: str) -> None:
    """Added, removed or changed, by what was there before and after."""
    assert ItemChange(component="printer", at_ms=1, before=before, after=after).what == what


@pytest.mark.parametrize(
    ("serial", "policy", "told"),
    [
        ("J3BF001234", "full", "J3BF001234"),
        ("J3BF001234", "masked", "******1234"),
        ("12345", "masked", "***45"),
        ("1", "masked", "*"),
        ("", "masked", ""),
        ("J3BF001234", "off", ""),
    ],
)
def test_serial_numbers_are_told_as_the_policy_has_it(serial: str, policy: str, told: str) -> None:
    """The last four characters at most, and never more than half."""
    assert masked(serial, policy) == told  # type: ignore[arg-type]


def test_what_a_device_says_is_tidied() -> None:
    """White space and length are ours; facts we do not know are not kept."""
    one = item("printer", {"make": " EP\n SON ", "model": "x" * 500, "colour": "red"}, "masked")
    assert one.make == "EP SON"
    assert len(one.model) == 120
    assert one.facts().keys() == {"make", "model"}


def test_a_new_device_is_a_change() -> None:
    """Known from now on."""
    now, changes = update({}, [printer(model="TM-T20")], DAY_MS)
    assert now["printer"].since_ms == DAY_MS
    assert [(one.before, one.after) for one in changes] == [(None, now["printer"])]


def test_silence_and_more_words_are_no_change() -> None:
    """Switched off it says nothing; on again it says its firmware as well: the same device."""
    known, _ = update({}, [printer(model="TM-T20", serial="**12")], DAY_MS)
    now, changes = update(known, [printer()], 2 * DAY_MS)
    assert (now, changes) == (known, [])
    now, changes = update(now, [printer(firmware="1.05")], 3 * DAY_MS)
    assert changes == []
    assert now["printer"].facts() == {"model": "TM-T20", "serial": "**12", "firmware": "1.05"}
    assert now["printer"].since_ms == DAY_MS


def test_new_firmware_is_a_change_of_the_same_device() -> None:
    """What it did not repeat still holds."""
    known, _ = update({}, [printer(model="TM-T20", serial="**12", firmware="1.05")], DAY_MS)
    now, changes = update(known, [printer(model="TM-T20", firmware="1.06")], 2 * DAY_MS)
    (change,) = changes
    assert change.before == known["printer"]
    assert (now["printer"].serial, now["printer"].since_ms) == ("**12", 2 * DAY_MS)


def test_another_device_takes_nothing_over() -> None:
    """With another serial number the old firmware says nothing about the new device."""
    known, _ = update({}, [printer(model="TM-T20", serial="**12", firmware="1.05")], DAY_MS)
    now, changes = update(known, [printer(model="TM-T20", serial="**99")], 2 * DAY_MS)
    assert len(changes) == 1
    assert now["printer"].facts() == {"model": "TM-T20", "serial": "**99"}


def test_the_kernels_word_instead_of_its_own_is_the_same_device() -> None:
    """While the payment app has the port only the kernel speaks; what it said itself holds."""
    own = printer(model="TM-T20II", serial="**34", firmware="1.05", usb_id="04b8:0e15")
    alone = printer(model="UB", serial="**01", firmware="2.01", usb_id="04b8:0e15")
    known, _ = update({}, [own], DAY_MS, kernel={"printer": alone})
    now, changes = update(known, [alone], 2 * DAY_MS, kernel={"printer": alone})
    assert (now, changes) == (known, [])
    now, changes = update(now, [own], 3 * DAY_MS, kernel={"printer": alone})
    assert (now, changes) == (known, [])


def test_its_own_word_after_the_kernels_is_the_same_device() -> None:
    """At the start the kernel speaks first: then more is known, and nothing has changed."""
    own = printer(model="TM-T20II", serial="**34", usb_id="04b8:0e15")
    alone = printer(model="UB", serial="**01", usb_id="04b8:0e15")
    known, _ = update({}, [alone], DAY_MS, kernel={"printer": alone})
    now, changes = update(known, [own], 2 * DAY_MS, kernel={"printer": alone})
    assert changes == []
    assert (now["printer"].model, now["printer"].since_ms) == ("TM-T20II", DAY_MS)


def test_another_device_of_the_kernels_is_a_change_though_it_says_nothing_itself() -> None:
    """Swapped while the payment app has the port."""
    own = printer(model="TM-T20II", serial="**34", usb_id="04b8:0e15")
    alone = printer(model="UB", serial="**01", usb_id="04b8:0e15")
    other = printer(model="UB", serial="**02", usb_id="04b8:0e15")
    known, _ = update({}, [own], DAY_MS, kernel={"printer": alone})
    now, changes = update(known, [other], 2 * DAY_MS, kernel={"printer": other})
    assert len(changes) == 1
    assert now["printer"].facts() == other.facts()


def test_a_looser_policy_makes_no_other_device() -> None:
    """The whole number where its end was known."""
    known, _ = update({}, [printer(serial="****1234")], DAY_MS)
    now, changes = update(known, [printer(serial="J3BF1234")], 2 * DAY_MS)
    assert changes == []
    assert now["printer"].serial == "J3BF1234"


@pytest.mark.parametrize(
    ("policy", "serial", "kernel"),
    [("full", "J3BF1234", "J3BF1234"), ("masked", "****1234", ""), ("off", "", "")],
)
def test_what_is_kept_follows_a_stricter_policy(policy: str, serial: str, kernel: str) -> None:
    """A number written down under the policy of before is not told any more."""
    one = printer(model="TM-T20", serial="J3BF1234", kernel="J3BF1234")
    found = recovered(one, policy)  # type: ignore[arg-type]
    assert (found.serial, found.kernel, found.model) == (serial, kernel, "TM-T20")


def test_what_was_pulled_goes() -> None:
    """Only what is surely gone, and only once."""
    known, _ = update({}, [Item(component="usb:1-1", usb_id="1234:5678")], DAY_MS)
    now, changes = update(known, [], 2 * DAY_MS, gone={"usb:1-1", "usb:1-2"})
    assert now == {}
    (change,) = changes
    assert (change.component, change.after, change.at_ms) == ("usb:1-1", None, 2 * DAY_MS)


def test_the_fleet_hears_of_watched_devices() -> None:
    """Flat names; what nobody watches stays here."""
    told = fields(
        [
            Item(component="printer", make="EPSON", since_ms=5),
            Item(component="usb:1-1", make="Acme", since_ms=6),
        ]
    )
    assert told == {"printer_make": "EPSON", "printer_since_ts": 5}


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (Reading({"paper": "ok"}, {"a": "b"}), Reading({"paper": "ok"}, {"a": "b"})),
        (
            Reading({"serial": "J3BF001234"}, {"serial": "J3BF001234", "a": "b"}),
            Reading({"serial": "******1234"}, {"serial": "******1234", "a": "b"}),
        ),
        (
            Reading({"serial": 7}, {"serial": "12345678"}),
            Reading({"serial": 7}, {"serial": "****5678"}),
        ),
        (
            Unknown("away", "", {"serial": "12345678"}),
            Unknown("away", "", {"serial": "****5678"}),
        ),
        (Unknown("away"), Unknown("away")),
        (NotFitted(), NotFitted()),
    ],
)
def test_readings_tell_serial_numbers_as_the_policy_has_it(outcome: Outcome, told: Outcome) -> None:
    """Masked once and again is the same; everything else stays as it was said."""
    assert covered(outcome, "masked") == told
    assert covered(told, "masked") == told
    assert covered(outcome, "full") == outcome


def test_no_serial_number_at_all() -> None:
    """Switched off, the word goes with the number."""
    said = Reading({"serial": "12345678"}, {"serial": "12345678", "a": "b"})
    assert covered(said, "off") == Reading({"serial": ""}, {"a": "b"})


BY_ID = "/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A6008isP-if00-port0"


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (BY_ID, "/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_****8isP-if00-port0"),
        ("/dev/input/by-id/usb-Pad_1234-event-kbd", "/dev/input/by-id/usb-Pad_**34-event-kbd"),
        ("/dev/serial/by-id/usb-A_12-34_AB-CD: gone", "/dev/serial/by-id/usb-A_12-34_***CD: gone"),
        ("/dev/ttyUSB0", "/dev/ttyUSB0"),
    ],
)  # fmt: skip
def test_a_path_by_id_ends_in_the_serial_number(path: str, told: str) -> None:
    """It is as much of the number as the policy allows, wherever the path is named."""
    assert covered(Reading({}, {"device": path}), "masked") == Reading({}, {"device": told})
    assert covered(Unknown(path, "", {"device": path}), "masked") == Unknown(
        told, "", {"device": told}
    )
    assert covered(NotObservable(path), "masked") == NotObservable(told)
    for said in (Reading({}, {"device": path}), Unknown(path), NotObservable(path)):
        assert covered(said, "full") is said
        assert "isP" not in repr(covered(said, "off"))
        hidden = covered(said, "off")
        assert covered(hidden, "off") == hidden
