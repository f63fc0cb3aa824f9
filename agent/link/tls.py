"""TLS contexts: the one place where trust is set up, with every flag said out loud.

A plain `SSLContext` instead of `create_default_context`, because the latter turns on
VERIFY_X509_STRICT from Python 3.13 on: the same private authority would pass on one terminal and
fail on the next. Files that cannot be used become an OperatorError naming the file.
"""

from __future__ import annotations

import ssl
import warnings
from asyncio import StreamWriter
from datetime import UTC, datetime
from pathlib import Path

from agent.errors import OperatorError

MAX_PEM_BYTES = 4_194_304
#: X509_V_FLAG_NO_CHECK_TIME of <openssl/x509_vfy.h>; Python has no name for it.
_NO_CHECK_TIME = 0x200000
#: As OpenSSL writes them, whatever the locale.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def client_context(ca_file: str = "", cert_file: str = "", key_file: str = "") -> ssl.SSLContext:
    """A context for dialing; empty `ca_file`: the system's authorities; no `cert_file`: none shown.

    An empty `key_file` means the key is in `cert_file`.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _harden(context)
    context.check_hostname = True
    context.verify_mode = ssl.CERT_REQUIRED
    if ca_file:
        _trust(context, ca_file)
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if cert_file:
        _identify(context, cert_file, key_file)
    elif key_file:
        raise OperatorError(
            "config.certificate_missing",
            f"a key is set ({key_file}) but no certificate",
            "Set cert_file as well, or neither.",
        )
    return context


def timeless(context: ssl.SSLContext) -> ssl.SSLContext:
    """The same context, which does not look at the dates of certificates; all else is checked.

    Only for asking a host what time it is when dates and this terminal's clock do not fit. Nothing
    secret may be sent over it: a certificate that expired may have been stolen since.
    """
    context.verify_flags = ssl.VerifyFlags(context.verify_flags | _NO_CHECK_TIME)
    return context


def server_context(cert_file: str, key_file: str = "", client_ca: str = "") -> ssl.SSLContext:
    """A context for listening; `client_ca`: clients must show a certificate it signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _harden(context)
    _identify(context, cert_file, key_file)
    if client_ca:
        _trust(context, client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def outdated() -> ssl.SSLContext:
    """A context that offers TLS 1.1 and older only, to find out whether a host still speaks them.

    It checks nothing: no secret may ever be sent over it. OperatorError where OpenSSL refuses.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # asking for it is the point
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
    except (ssl.SSLError, ValueError) as error:
        raise OperatorError(
            "config.tls_outdated", f"TLS 1.1 cannot be offered here: {error}", ""
        ) from error
    return context


def peer_expires_at(writer: StreamWriter) -> datetime | None:
    """When the certificate the peer showed expires; None without TLS or without a certificate."""
    tls = writer.get_extra_info("ssl_object")
    return None if tls is None else expires_at(tls)


def expires_at(tls: ssl.SSLObject | ssl.SSLSocket) -> datetime | None:
    """When the certificate shown over this connection expires; None where none was checked."""
    certificate = tls.getpeercert()
    stated = certificate.get("notAfter") if certificate else None
    if not isinstance(stated, str):
        return None
    try:
        return _date(stated)
    except ValueError:
        return None  # asked for with every payment's connection: an odd date must not cost it


def _date(stated: str) -> datetime:
    """As `ssl.cert_time_to_seconds`, which loads calendars and locales for it (0.4 MB)."""
    month, day, at, year, zone = stated.split()
    if zone != "GMT" or month not in _MONTHS:
        raise ValueError(stated)
    hour, minute, second = map(int, at.split(":"))
    number = _MONTHS.index(month) + 1
    # A leap second, which a certificate may name, is one Python cannot.
    return datetime(int(year), number, int(day), hour, minute, min(second, 59), tzinfo=UTC)


def peer_days_left(writer: StreamWriter, now: datetime) -> float | None:
    """Days until then; negative cannot happen on a connection that stands."""
    expires_at = peer_expires_at(writer)
    return None if expires_at is None else (expires_at - now).total_seconds() / 86_400


def _harden(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags = ssl.VerifyFlags.VERIFY_X509_TRUSTED_FIRST
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION


def _trust(context: ssl.SSLContext, file: str) -> None:
    _check_pem(file, "certificate authority", "CERTIFICATE")
    try:
        context.load_verify_locations(cafile=file)
    except (OSError, ValueError) as error:
        raise _unusable(file, "certificate authority", error) from error


def _identify(context: ssl.SSLContext, cert_file: str, key_file: str) -> None:
    _check_pem(cert_file, "certificate", "CERTIFICATE")
    _check_pem(key_file or cert_file, "private key", "PRIVATE KEY")
    try:
        # Without a password function OpenSSL would ask on the terminal and wait for ever.
        context.load_cert_chain(cert_file, key_file or None, password=lambda: "")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise OperatorError(
                "config.key_mismatch",
                f"the private key {key_file or cert_file} does not belong to {cert_file}",
                "Install certificate and key from the same issue.",
            ) from error
        raise _unusable(key_file or cert_file, "certificate or private key", error) from error
    except (OSError, ValueError) as error:
        raise _unusable(key_file or cert_file, "certificate or private key", error) from error


def _check_pem(file: str, what: str, label: str) -> None:
    """OpenSSL does not say which of its files it stumbled over; we do."""
    try:
        with Path(file).open("rb") as stream:
            content = stream.read(MAX_PEM_BYTES)
    except FileNotFoundError:
        raise OperatorError(
            "config.file_missing", f"the {what} file {file} does not exist", "Check the path."
        ) from None
    except OSError as error:
        raise OperatorError(
            "config.file_unreadable",
            f"the {what} file {file} cannot be read: {error.strerror or error}",
            "Give the agent's user the right to read it.",
        ) from error
    if f"{label}-----".encode() not in content:
        raise OperatorError(
            "config.not_pem",
            f"the {what} file {file} holds no {label} in PEM form",
            f"It must contain a line that begins with -----BEGIN and ends with {label}-----.",
        )


def _unusable(file: str, what: str, error: Exception) -> OperatorError:
    reason = error.reason if isinstance(error, ssl.SSLError) else None
    return OperatorError(
        "config.not_pem",
        f"the {what} file {file} cannot be used: {reason or 'damaged or encrypted'}",
        "Keys must not be protected by a password; fetch the file again if it is damaged.",
    )
