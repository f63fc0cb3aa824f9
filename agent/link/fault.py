"""What a failed connection means: from error numbers and TLS alerts to causes and sentences.

Pure tables. The sentences name host and port and never a secret; the codes are causes of the
catalogue. Called by the dialer, and by HTTP clients for connections that break later: under TLS 1.3
a host refuses our certificate only after the first bytes of a request may have left.
"""

from __future__ import annotations

import errno
import socket
import ssl
from typing import Literal

from agent.errors import RemoteError

Layer = Literal["dns", "tcp", "tls", "local"]

UNREACHABLE = "network.host_unreachable"
DNS = "network.dns_failed"
UNTRUSTED = "tls.untrusted"
FORBIDDEN = "config.permission_denied"
DEGRADED = "software.agent_degraded"

#: Ours to put right, not the network's: out of files, memory or local ports, or forbidden.
LOCAL_ERRNOS = {
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.ENOBUFS,
    errno.EACCES,
    errno.EPERM,
    errno.EAFNOSUPPORT,
}
TCP_CODES = {
    errno.ENETUNREACH: "network.no_gateway",
    errno.ENETDOWN: "network.no_link",
    errno.EADDRNOTAVAIL: "network.no_address",
}
TCP_WORDS = {
    errno.ECONNREFUSED: "refused the connection",
    errno.ETIMEDOUT: "did not answer",
    errno.EHOSTUNREACH: "cannot be reached: no route to the host",
    errno.ENETUNREACH: "cannot be reached: this terminal has no way to that network",
    errno.ENETDOWN: "cannot be reached: the network is down",
    errno.ECONNRESET: "reset the connection",
    errno.EADDRNOTAVAIL: "cannot be reached: this terminal has no address for that network",
}

# Numbers of <openssl/x509_vfy.h>.
NOT_YET_VALID = 9
EXPIRED = 10
VERIFY_WORDS = {
    NOT_YET_VALID: "its certificate is not valid yet; this terminal's clock is probably behind",
    EXPIRED: "its certificate has expired, or this terminal's clock is ahead",
    18: "its certificate is self-signed and not the one expected",
    19: "its certificate comes from an authority that is not trusted here",
    20: "its certificate comes from an authority that is not trusted here",
    21: "its certificate comes from an authority that is not trusted here",
    23: "its certificate has been revoked",
    62: "its certificate is for another host name",
    64: "its certificate is for another address",
}
VERIFY_CODES = {NOT_YET_VALID: "clock.wrong", EXPIRED: "tls.host_certificate_expired"}

# What a host says about our certificate, in OpenSSL's spelling of the alert.
ALERTS = {
    "CERTIFICATE_EXPIRED": (
        "it says this terminal's certificate has expired",
        "tls.client_certificate_expired",
    ),
    "CERTIFICATE_REVOKED": (
        "it says this terminal's certificate is revoked",
        "config.credential_expired",
    ),
    "CERTIFICATE_REQUIRED": (
        "it wants a certificate of this terminal and got none",
        "config.credential_expired",
    ),
    "ACCESS_DENIED": (
        "it denies this terminal's certificate access",
        "config.credential_expired",
    ),
    "UNKNOWN_CA": (
        "it does not know who issued this terminal's certificate",
        "config.credential_expired",
    ),
    "BAD_CERTIFICATE": ("it refuses this terminal's certificate", "config.credential_expired"),
    "UNSUPPORTED_CERTIFICATE": (
        "it refuses this kind of certificate",
        "config.credential_expired",
    ),
    "CERTIFICATE_UNKNOWN": ("it refuses this terminal's certificate", "config.credential_expired"),
    "PROTOCOL_VERSION": ("it speaks no version of TLS that is safe to use", UNTRUSTED),
    "HANDSHAKE_FAILURE": ("it accepts no way of encrypting that this terminal offers", UNTRUSTED),
    "UNRECOGNIZED_NAME": ("it does not know itself by that name", UNTRUSTED),
}
TLS_REASONS = {
    "WRONG_VERSION_NUMBER": ("what answers does not speak TLS", UNTRUSTED),
    "HTTP_REQUEST": ("what answers does not speak TLS", UNTRUSTED),
    "UNSUPPORTED_PROTOCOL": ("it speaks no version of TLS that is safe to use", UNTRUSTED),
    "UNEXPECTED_EOF_WHILE_READING": ("it closed the connection during TLS", UNREACHABLE),
}


class DialError(RemoteError):
    """No connection. `code` is a cause from the catalogue, or empty when none fits."""

    def __init__(self, layer: Layer, reason: str, code: str = "") -> None:
        super().__init__(code, reason)
        self.layer: Layer = layer
        self.reason = reason


class CutError(OSError):
    """We ended it ourselves, because the channel it went by broke: never the host's doing."""

    def __init__(self, why: str, code: str) -> None:
        super().__init__(errno.ENETDOWN, f"the channel was given up: {why}")
        self.code = code


def name_fault(host: str, error: OSError) -> DialError:
    """The name could not be turned into an address."""
    match error.errno:
        case socket.EAI_NONAME | socket.EAI_NODATA:
            why = f"the name {host} is not known to the name server"
        case socket.EAI_AGAIN:
            why = f"no name server answered for {host}"
        case _:
            why = f"the name {host} could not be resolved: {error.strerror or 'no reason given'}"
    return DialError("dns", why, DNS)


def tcp_fault(where: str, error: OSError) -> DialError:
    """No connection to the address. `TimeoutError` without a number is our own deadline."""
    if error.errno in LOCAL_ERRNOS:
        # Never the host's fault: a filter or a missing right of our own, or out of something.
        code = FORBIDDEN if error.errno in (errno.EACCES, errno.EPERM) else DEGRADED
        return DialError("local", f"this terminal cannot open a connection: {error.strerror}", code)
    number = errno.ETIMEDOUT if error.errno is None else error.errno
    words = TCP_WORDS.get(number, f"cannot be reached: {error.strerror or 'no reason given'}")
    return DialError("tcp", f"{where} {words}", TCP_CODES.get(number, UNREACHABLE))


def tls_fault(where: str, error: BaseException) -> DialError:
    """TCP stands, TLS does not."""
    words, code = _tls_words(error)
    return DialError("tls", f"{where}: {words}", code)


def cause_of(error: BaseException) -> str:
    """The catalogue's cause of a connection that broke after it was made, or empty."""
    if isinstance(error, CutError):
        return error.code
    return _tls_words(error)[1] if isinstance(error, ssl.SSLError) else ""


def _tls_words(error: BaseException) -> tuple[str, str]:
    if isinstance(error, ssl.SSLCertVerificationError):
        number = error.verify_code
        words = VERIFY_WORDS.get(number, f"its certificate is refused: {error.verify_message}")
        return words, VERIFY_CODES.get(number, UNTRUSTED)
    if isinstance(error, ssl.SSLError):
        reason = error.reason or ""
        if "ALERT_" in reason:
            return ALERTS.get(
                reason.partition("ALERT_")[2], (f"it broke TLS off ({reason})", UNTRUSTED)
            )
        return TLS_REASONS.get(reason, (f"TLS failed ({reason or 'no reason given'})", UNTRUSTED))
    if isinstance(error, TimeoutError | ConnectionAbortedError):
        # asyncio's own handshake deadline is a ConnectionAbortedError.
        return "it accepted the connection but did not finish TLS in time", UNREACHABLE
    return "it closed the connection during TLS", UNREACHABLE
