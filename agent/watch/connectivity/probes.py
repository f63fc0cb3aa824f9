"""The single tests: a name, a connection, a handshake, the address that answers 204.

Each says what it found and about how many bytes it cost; what that means is `verdict`. Nothing is
sent to a host beyond opening and closing a connection, and one GET to the address configured for
finding sign-in pages. Payments and their answers are the uplink's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import field, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from agent.blocking import Blocking
from agent.clock import Clock
from agent.errors import AgentError
from agent.link import x509
from agent.link.bound import Resolve
from agent.link.contact import Contact, Told
from agent.link.dial import DialError
from agent.link.fault import TCP_WORDS, tls_fault
from agent.link.tls import peer_expires_at
from agent.record import dataclass
from agent.watch import layers
from agent.watch.connectivity import names, sockets
from agent.watch.connectivity.target import FAILED, NOT_NEEDED, NOT_TRIED, OK, Reach, Target
from agent.watch.connectivity.verdict import Portal
from agent.watch.layers import Addresses

Trust = Callable[[str, str, str], ssl.SSLContext]

#: Headers included. A connection opened and aborted: 60 + 60 + 52 + 40; one that nobody answers:
#: three SYNs in four seconds.
CONNECT_BYTES = 212
SYNS_BYTES = 180
#: A handshake of TLS 1.3 in which both sides show a chain of two certificates; with its TCP.
HANDSHAKE_BYTES = 6_000
#: Two questions (A, AAAA) of the system's resolver and their answers.
NAME_BYTES = 320
GET_BYTES = 700
ADDRESSES = 2  #: of a host that are tried
MAX_HEAD_BYTES = 4_096
MAX_PEM_BYTES = 1_048_576
CLOSE_S = 1.0
ALERT_S = 0.7  #: a host that refuses does so at once

_REFUSING = (TCP_WORDS[errno.ECONNREFUSED], TCP_WORDS[errno.ECONNRESET])
_STATUS = re.compile(rb"^HTTP/1\.[01] ([1-5][0-9][0-9])(?: |$)")


class Dial(Protocol):
    """Opens connections; `agent.link.dial.Dialer` is one."""

    async def open(
        self, host: str, port: int, tls: ssl.SSLContext | None, timeout_s: float
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Everything this watcher asks of the world, so that tests can answer for it."""

    blocking: Blocking
    dial: Dial
    trust: Trust
    clock: Clock
    #: A dial that leaves by the interface named; None: `dial` has to do for all.
    through: Callable[[str], Dial] | None = None
    root: Path = Path("/")
    addresses: Callable[[], Addresses] = layers.local_addresses
    resolve: Callable[[str], list[str]] = layers.resolve
    #: How the channel in use resolves names, where that is not the system's way.
    lookup: Callable[[], Resolve | None] = lambda: None
    told: Told | None = None  #: hears of every probe of a host, as of any other contact
    ask_server: Callable[..., Awaitable[names.Told]] = names.ask
    wire: sockets.Wire = field(default_factory=sockets.Wire)
    netlink: bool = True  #: False: neighbours are read from files only
    #: Hears whose clock ours was compared with, by how many seconds it is ahead, and how long the
    #: question took.
    compared: Callable[[str, int, float], None] | None = None


def dial_by(ports: Ports, interface: str) -> Dial:
    """What leaves by `interface`; "": as the system chooses."""
    return ports.through(interface) if interface and ports.through is not None else ports.dial


async def reach(
    ports: Ports, target: Target, addresses: Sequence[str], timeout_s: float, interface: str = ""
) -> tuple[Reach, int]:
    """One TCP connection to the first address that takes one, and its cost."""
    found = Reach(target=target, tls=NOT_NEEDED if target.files is None else NOT_TRIED)
    if not addresses:
        return found, 0
    dial, spent = dial_by(ports, interface), 0
    tried = addresses[:ADDRESSES]
    for address in tried:
        began_ms = ports.clock.now().boot_ms
        via = interface or _via(address, target.port, ports.addresses)
        found = replace(found, address=address, via=via)
        try:
            _, writer = await dial.open(address, target.port, None, timeout_s / len(tried))
        except DialError as error:
            found = refused(found, error)
            spent += SYNS_BYTES
            continue
        took_ms = ports.clock.now().boot_ms - began_ms
        await closed(writer)
        found = replace(
            found, tcp=OK, refused=False, tcp_reason="", tcp_code="", connect_ms=took_ms
        )
        spent += CONNECT_BYTES
        break
    tell(ports, found, interface, spent)
    return found, spent


def refused(found: Reach, error: DialError) -> Reach:
    """What a connection that failed says about the host."""
    if error.layer == "dns":
        return replace(found, dns_reason=error.reason)
    if error.layer == "tls":
        return replace(found, tls=FAILED, tls_reason=error.reason, tls_code=error.code)
    # What is this terminal's own (a packet filter, no files left) says nothing of the host.
    code = error.code or ("software.agent_degraded" if error.layer == "local" else "")
    answered = _answered(error)
    return replace(
        found,
        tcp=FAILED,
        tcp_reason=error.reason,
        tcp_code=code,
        refused=answered,
        connect_ms=None,
    )


def _answered(error: DialError) -> bool:
    """Whether somebody there answered, be it with a refusal. The dialer says so in words only."""
    return error.layer == "tcp" and any(word in error.reason for word in _REFUSING)


def tell(ports: Ports, found: Reach, interface: str, spent: int) -> None:
    """Have everybody hear who listens to what becomes of connections."""
    if ports.told is None or found.tcp == NOT_TRIED:
        return
    broken = found.tcp == FAILED
    ports.told(
        Contact(
            purpose="probe",
            host=found.target.host,
            port=found.target.port,
            interface=interface,
            layer="tcp" if broken else "",
            code=found.tcp_code if broken else "",
            reason=found.tcp_reason if broken else "",
            connect_ms=found.connect_ms,
            bytes_spent=spent,
        )
    )


async def handshake(
    ports: Ports, found: Reach, timeout_s: float, interface: str = ""
) -> tuple[Reach, int]:
    """TLS with a host that TCP reaches; where that fails, what it shows of itself."""
    target = found.target
    dial = dial_by(ports, interface)
    try:
        context = ports.trust(*(target.files or ("", "", "")))
    except AgentError as error:
        return _no_files(found, error), 0
    except OSError as error:  # ssl.SSLError is one
        reason = f"TLS cannot be set up: {error}"
        return replace(found, tls=FAILED, tls_reason=reason, tls_code="tls.ca_expired"), 0
    own = own_certificate(target)
    if own is not None and own.expires_at <= ports.clock.now().at:
        # Known before anybody is asked: the host would refuse us, some only after the first bytes.
        return _own_expired(found, own), 0
    try:
        reader, writer = await dial.open(target.host, target.port, context, timeout_s)
    except DialError as error:
        if error.layer == "dns":
            return found, NAME_BYTES
        failed = refused(found, error)
        return await _unmasked(ports, failed, timeout_s, dial)
    if target.files and target.files[1] and (why := await _second_thoughts(reader)) is not None:
        await closed(writer)
        return refused(found, tls_fault(str(target), why)), HANDSHAKE_BYTES
    expires_at = peer_expires_at(writer)
    subject, issuer = _shown(writer)
    await closed(writer)
    done = replace(found, tls=OK, tls_reason="", tls_code="", expires_at=expires_at)
    return replace(done, subject=subject, issuer=issuer), HANDSHAKE_BYTES


async def _second_thoughts(reader: asyncio.StreamReader) -> ssl.SSLError | None:
    """What a host says of our certificate: under TLS 1.3 only after the handshake has ended."""
    try:
        async with asyncio.timeout(ALERT_S):
            await reader.read(1)
    except ssl.SSLError as error:
        return error
    except (OSError, TimeoutError):
        return None
    return None


def _no_files(found: Reach, error: AgentError) -> Reach:
    """Our own files are at fault, not the host."""
    own = found.target.files or ("", "", "")
    if error.code == "config.file_unreadable":
        code = "config.permission_denied"
    elif own[0] and own[0] in error.what:
        code = "tls.ca_expired"
    else:
        code = "config.credential_expired"
    reason = f"TLS cannot be set up: {error.what}"
    return replace(found, tls=FAILED, tls_reason=reason, tls_code=code)


def own_certificate(target: Target) -> x509.Certificate | None:
    """The one this terminal shows to that host, as far as its file tells."""
    file = target.files[1] if target.files else ""
    if not file:
        return None
    try:
        shown = x509.in_pem(Path(file).read_bytes()[:MAX_PEM_BYTES])
    except OSError:
        return None
    return shown[0] if shown else None


def _own_expired(found: Reach, own: x509.Certificate) -> Reach:
    day = own.expires_at.date().isoformat()
    return replace(
        found,
        tls=FAILED,
        tls_reason=f"this terminal's certificate expired on {day}",
        tls_code="tls.client_certificate_expired",
        subject=own.subject,
        issuer=own.issuer,
        expires_at=own.expires_at,
    )


#: Only where a certificate was refused there is one to look at.
_REFUSALS = frozenset({"tls.untrusted", "tls.host_certificate_expired", "clock.wrong"})


async def _unmasked(ports: Ports, failed: Reach, timeout_s: float, dial: Dial) -> tuple[Reach, int]:
    """Shake hands once more without checking, to name whose certificate was refused."""
    cause = failed.tls_code
    if cause not in _REFUSALS:
        return failed, HANDSHAKE_BYTES
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname = False
    blind.verify_mode = ssl.CERT_NONE
    try:
        _, writer = await dial.open(failed.target.host, failed.target.port, blind, timeout_s)
    except DialError:
        return failed, HANDSHAKE_BYTES + CONNECT_BYTES
    shown = writer.get_extra_info("ssl_object")
    der = shown.getpeercert(binary_form=True) if shown is not None else None
    await closed(writer)
    leaf = x509.parse(der) if der else None
    if leaf is None:
        return failed, 2 * HANDSHAKE_BYTES
    now = ports.clock.now().at
    if cause == "tls.host_certificate_expired" and leaf.expires_at > now:
        cause = "tls.ca_expired"  # its own is good: what expired stands above it
    return (
        replace(
            failed,
            tls_code=cause,
            subject=leaf.subject,
            issuer=leaf.issuer,
            expires_at=leaf.expires_at,
        ),
        2 * HANDSHAKE_BYTES,
    )


def _shown(writer: asyncio.StreamWriter) -> tuple[str, str]:
    shown = writer.get_extra_info("ssl_object")
    der = shown.getpeercert(binary_form=True) if shown is not None else None
    told = x509.parse(der) if der else None
    return ("", "") if told is None else (told.subject, told.issuer)


async def portal(
    ports: Ports, url: str, addresses: Sequence[str], timeout_s: float, interface: str = ""
) -> tuple[Portal, int]:
    """GET the address that answers 204 without a body where nobody asks for a sign-in."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    if not addresses:
        return Portal(kind="not_tried"), 0
    try:
        reader, writer = await dial_by(ports, interface).open(addresses[0], port, None, timeout_s)
    except DialError as error:
        return Portal(kind="unclear" if _answered(error) else "no_answer"), SYNS_BYTES
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    place = host if port == 80 else f"{host}:{port}"
    began_ms = ports.clock.now().boot_ms
    asked = f"GET {path} HTTP/1.1\r\nHost: {place}\r\nConnection: close\r\nAccept: */*\r\n\r\n"
    head = b""
    # What came before it broke off still tells.
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(timeout_s):
            writer.write(asked.encode("ascii", "replace"))
            while len(head) < MAX_HEAD_BYTES and (piece := await reader.read(MAX_HEAD_BYTES)):
                head += piece
                if _whole(head):
                    break
    await closed(writer)
    now = ports.clock.now()
    found = answer_of(head, now.at)
    if ports.compared is not None and found.date_offset_s is not None:
        ports.compared(host, found.date_offset_s, (now.boot_ms - began_ms) / 1000)
    return found, GET_BYTES + len(head)


def _whole(head: bytes) -> bool:
    """Whether enough came to judge by: the head, and for a 2xx the first byte of a body."""
    before, end, body = head.partition(b"\r\n\r\n")
    return bool(end) and (bool(body) or b" 204 " in before.split(b"\r\n")[0] + b" ")


def answer_of(raw: bytes, now: datetime) -> Portal:
    """What the answer to that GET means. Never raises.

    204 and nothing else is open; any other 200 to 399 is somebody else's page; the rest (599 and
    the like) tells nothing.
    """
    head, end, body = raw.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    found = _STATUS.match(lines[0])
    if found is None:
        return Portal(kind="unclear" if raw else "no_answer")
    status = int(found[1])
    fields: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if colon:
            key = name.decode("latin-1").strip().lower()
            fields.setdefault(key, value.decode("latin-1").strip())
    kind = "unclear"
    if status == 204 and not body:
        kind = "open"
    elif 200 <= status <= 399 or status == 511:  # 511: Network Authentication Required
        kind = "portal"
    # Without its query: that often carries the terminal's hardware address.
    where = fields.get("location", "").partition("?")[0][:120]
    location = "".join(letter if letter.isprintable() else "?" for letter in where)
    offset_s = _offset(fields.get("date", ""), now) if kind == "open" and end else None
    return Portal(kind=kind, status=status, location=location, date_offset_s=offset_s)


def _offset(text: str, now: datetime) -> int | None:
    # Here and not above: it brings 0.3 MB, and only those who look for sign-in pages need it.
    from email.utils import parsedate_to_datetime

    try:
        stated = parsedate_to_datetime(text)
        return round((now - stated).total_seconds()) if stated.tzinfo is not None else None
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


async def closed(writer: asyncio.StreamWriter) -> None:
    """Gone at once: an orderly goodbye would cost the round trip of another packet or two."""
    writer.transport.abort()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(CLOSE_S):
            await writer.wait_closed()


def _via(address: str, port: int, addresses: Callable[[], Addresses]) -> str:
    """The interface the system would take; "" where it has no way. Sends nothing."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as asked:
            asked.connect((address, port))
            own = str(asked.getsockname()[0])
    except (OSError, UnicodeError):
        return ""
    return next((name for name, told in addresses().items() if own in told), "")
