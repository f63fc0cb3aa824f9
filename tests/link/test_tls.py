"""TLS contexts: explicit flags, and files that cannot be used named to whoever installed them."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import pytest
import trustme

from agent.errors import OperatorError
from agent.link.tls import client_context, server_context


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A certificate, its key, another's key, the authority, and things that are none of these."""
    directory = tmp_path_factory.mktemp("pem")
    authority = trustme.CA()
    leaf, other = authority.issue_cert("host.test"), authority.issue_cert("other.test")
    content = {
        "ca": authority.cert_pem.bytes(),
        "cert": leaf.cert_chain_pems[0].bytes(),
        "key": leaf.private_key_pem.bytes(),
        "other_key": other.private_key_pem.bytes(),
        "text": b"not a certificate",
        "damaged": leaf.cert_chain_pems[0].bytes().replace(b"M", b"!"),
        "encrypted": b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAo=\n"
        b"-----END ENCRYPTED PRIVATE KEY-----\n",
    }
    for name, data in content.items():
        (directory / name).write_bytes(data)
    return {name: str(directory / name) for name in (*content, "missing")}


def test_a_client_context_checks_names_and_chains(files: dict[str, str]) -> None:
    """TLS 1.2 or later, certificate required, host name checked, no strict flag on any Python."""
    for context in (client_context(), client_context(files["ca"], files["cert"], files["key"])):
        assert context.check_hostname
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2
        assert context.verify_flags == ssl.VERIFY_X509_TRUSTED_FIRST
        assert context.options & ssl.OP_NO_COMPRESSION


def test_a_server_asks_for_certificates_only_with_an_authority(files: dict[str, str]) -> None:
    """`client_ca` turns mutual TLS on."""
    assert server_context(files["cert"], files["key"]).verify_mode is ssl.CERT_NONE
    mutual = server_context(files["cert"], files["key"], files["ca"])
    assert mutual.verify_mode is ssl.CERT_REQUIRED


@pytest.mark.parametrize(
    ("given", "code", "named"),
    [
        (("missing", "", ""), "config.file_missing", "missing"),
        (("text", "", ""), "config.not_pem", "text"),
        (("key", "", ""), "config.not_pem", "key"),
        (("damaged", "", ""), "config.not_pem", "damaged"),
        (("ca", "missing", "key"), "config.file_missing", "missing"),
        (("ca", "cert", "missing"), "config.file_missing", "missing"),
        (("ca", "cert", ""), "config.not_pem", "cert"),
        (("ca", "cert", "text"), "config.not_pem", "text"),
        (("ca", "cert", "encrypted"), "config.not_pem", "encrypted"),
        (("ca", "cert", "other_key"), "config.key_mismatch", "other_key"),
        (("ca", "", "key"), "config.certificate_missing", "key"),
    ],
)
def test_unusable_files_are_named(
    files: dict[str, str], given: tuple[str, str, str], code: str, named: str
) -> None:
    """The installer reads which file is wrong and what to do, never an OpenSSL trace."""
    with pytest.raises(OperatorError) as caught:
        client_context(*(files[name] if name else "" for name in given))
    assert caught.value.code == code
    assert files[named] in caught.value.what
    assert caught.value.hint


def test_a_directory_or_forbidden_file_is_unreadable(files: dict[str, str], tmp_path: Path) -> None:
    """What cannot be read is said to be unreadable, with the reason."""
    with pytest.raises(OperatorError) as caught:
        client_context(str(tmp_path))
    assert caught.value.code == "config.file_unreadable"
    if os.getuid():
        locked = tmp_path / "locked.pem"
        locked.write_bytes(Path(files["ca"]).read_bytes())
        locked.chmod(0)
        with pytest.raises(OperatorError, match="cannot be read"):
            client_context(str(locked))
