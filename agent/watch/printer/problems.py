"""Why there is no reading, in one word for programs and one sentence for people.

Decides the wording of everything that can go wrong between a printer and its watcher, and which
cause code it belongs to. None of it is a fault of the printer: each becomes `Unknown`. Called by
the links and by the exchange.
"""

from __future__ import annotations

import errno
from dataclasses import replace
from typing import Literal

from agent.config.devices import Printer
from agent.link.opening import number_of
from agent.link.owners import Owner
from agent.record import dataclass

NOT_ANSWERING = "printer.not_answering"
MISMATCH = "device.interface_mismatch"


@dataclass(eq=False)
class NoReadingError(Exception):
    """The exchange ended without a reading; `finding` is one word, `reason` the sentence."""

    finding: str
    reason: str
    code: str = NOT_ANSWERING
    received: bytes = b""
    likely_baud: int = 0
    again: bool = False  #: worth one more sequence at once
    keep_open: bool = True


class BusyError(OSError):
    """Another program holds the port; `owner` is who, where that can be known."""

    def __init__(self, owner: Owner | None) -> None:
        super().__init__(errno.EBUSY, "in use")
        self.owner = owner


@dataclass(frozen=True, slots=True)
class Where:
    """The printer's place, as sentences name it."""

    name: str
    kind: Literal["serial", "usb", "tcp"]


def silent(where: Where, config: Printer, asked: str, before: str) -> NoReadingError:
    """No answer to `asked`; `before` names what was answered until then, "" if nothing was."""
    within = f"within {config.answer_timeout_s:g} s"
    if before:
        reason = (
            f"the printer on {where.name} answered {before} but not {asked} {within}: check its "
            "power and cable, and whether it knows DLE EOT 1 to 4"
        )
        return NoReadingError("silent", reason)
    advice = {
        "serial": f"check the printer's power and cable, and that its speed is {config.baud} baud",
        "usb": "check the printer's power, and [printer] dialect",
        "tcp": "it is switched off, or serves the payment app, which many do one at a time",
    }[where.kind]
    return NoReadingError("silent", f"no answer on {where.name} {within}: {advice}")


def held(where: Where) -> NoReadingError:
    """The line takes no more bytes."""
    advice = {
        "serial": "flow control holds the line, check the printer's power and cable and "
        "[printer] flow",
        "usb": "the printer takes no more bytes, it may be off-line with a full buffer",
        "tcp": "the printer takes no more bytes, it may be off-line with a full buffer",
    }[where.kind]
    return NoReadingError("silent", f"{where.name} does not accept a question: {advice}")


def nonsense(where: Where, config: Printer, received: bytes) -> NoReadingError:
    """Bytes that no printer of the dialect sends."""
    likely = 0
    if where.kind == "serial":
        from agent.watch.drivers.speed import likely_speed

        likely = likely_speed(received, config.baud, config.parity)
        advice = f"the speed ({config.baud} baud) or parity ({config.parity}) is probably wrong"
        if likely:
            advice += f"; they look like {likely} baud"
    else:
        advice = f"[printer] dialect ({config.dialect}) is probably wrong"
    return NoReadingError(
        "garbage",
        f"bytes arrive on {where.name} but make no sense as printer status: {advice}",
        code=MISMATCH,
        received=received,
        likely_baud=likely,
        again=True,
        keep_open=False,
    )


def echo(where: Where, received: bytes) -> NoReadingError:
    """Our own question came back."""
    return NoReadingError(
        "echo",
        f"{where.name} sends back what it is asked: a modem, a console or a loopback plug is on "
        "that line, not a printer",
        code=MISMATCH,
        received=received,
        keep_open=False,
    )


def out_of_step(where: Where, received: bytes) -> NoReadingError:
    """An answer to another question than ours."""
    return NoReadingError(
        "out_of_step",
        f"answers on {where.name} do not fit the questions: another program may be asking the "
        "same printer, or the line hands answers over late",
        received=received,
        again=True,
    )


def perhaps_star(nothing: NoReadingError) -> NoReadingError:
    """What came looks like a Star printer's, but does not prove one."""
    reason = f'{nothing.reason}; if it is a Star printer, set [printer] dialect = "star"'
    return replace(nothing, reason=reason)


def unplugged(where: Where, error: OSError) -> NoReadingError:
    """The port vanished under us."""
    return NoReadingError(
        "unplugged",
        f"{where.name} went away while the printer was being asked ({error.strerror or error}): "
        "check the cable",
        keep_open=False,
    )


def open_hangs(where: Where) -> NoReadingError:
    """The driver does not come back."""
    return NoReadingError(
        "open_hangs",
        f"opening {where.name} hangs in its driver: unplug and replug the printer's cable, or "
        "restart the terminal",
    )


def missing(where: Where) -> NoReadingError:
    """No such device node."""
    return NoReadingError(
        "missing",
        f"{where.name} does not exist: check that the printer is plugged in and switched on, and "
        "that [printer] device names the right port",
    )


def not_opened(where: Where, error: Exception) -> NoReadingError:
    """The open was refused: each way of refusing has its own word."""
    name, group = where.name, "lp" if where.kind == "usb" else "dialout"
    match number_of(error):
        case errno.ENOENT | errno.ENODEV | errno.ENXIO | errno.ENOTDIR | errno.ELOOP:
            return missing(where)
        case errno.EPERM:  # of the device's own mode it would be EACCES
            return NoReadingError(
                "permission",
                f"the sandbox the agent runs in does not let it open {name}: allow the device "
                "there (systemd: DeviceAllow= by `systemctl edit posagent`), and restart the agent",
            )
        case errno.EACCES:
            return NoReadingError(
                "permission",
                f"no right to open {name}: add the agent's user to the group that owns the port, "
                f"often {group}",
            )
        case errno.EBUSY | errno.EAGAIN:
            owner = error.owner if isinstance(error, BusyError) else None
            by = f"{owner}" if owner is not None else "another program, often the payment app"
            return NoReadingError(
                "busy",
                f"{name} is in use by {by}: release the port there, or let that program report "
                "the printer's status ([printer] share = pass_through)",
            )
        case errno.ENOTTY | errno.EISDIR | errno.EINVAL:
            return NoReadingError(
                "not_serial",
                f"{name} is not a serial line with these settings: check [printer] device, baud "
                "and parity",
                code=MISMATCH,
            )
        case errno.EIO:
            return NoReadingError(
                "no_hardware",
                f"{name} exists but nothing is behind it (input/output error): check that "
                "[printer] device names the right port",
            )
    return NoReadingError("open_failed", f"{name} cannot be opened: {error}")


def not_connected(where: Where, error: OSError) -> NoReadingError:
    """A network printer did not take the connection."""
    match number_of(error):
        case errno.ECONNREFUSED:
            return NoReadingError(
                "refused",
                f"{where.name} refuses the connection: the printer serves another program just "
                "now, often the payment app, or printing over the network is switched off in it",
            )
        case errno.EHOSTUNREACH | errno.ENETUNREACH | errno.EHOSTDOWN | errno.ETIMEDOUT:
            return NoReadingError(
                "unreachable",
                f"nothing answers at {where.name}: check the printer's power, its network cable "
                "and its address",
            )
    return NoReadingError("open_failed", f"{where.name} cannot be reached: {error}")
