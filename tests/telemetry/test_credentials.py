"""A renewed certificate on trial: which pair is shown, what replaces what, and when."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from agent.telemetry.credentials import Credentials


class Shown:
    """Remembers which files a context was made of."""

    def __init__(self) -> None:
        self.pairs: list[tuple[str, str]] = []

    def __call__(self, _ca: str, cert: str, key: str) -> ssl.SSLContext:
        self.pairs.append((Path(cert).read_text(), Path(key).read_text() if key else ""))
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def placed(folder: Path, text: str, suffix: str = "", *, only: str = "") -> None:
    for name in ("t.pem", "t.key"):
        if not only or name == only:
            (folder / (name + suffix)).write_text(text)


@pytest.fixture
def shown() -> Shown:
    return Shown()


@pytest.fixture
def credentials(tmp_path: Path, shown: Shown) -> Credentials:
    placed(tmp_path, "old")
    return Credentials(shown, "", str(tmp_path / "t.pem"), str(tmp_path / "t.key"))


def show(credentials: Credentials) -> None:
    assert credentials.choose().check_hostname


def test_without_a_new_pair_the_old_is_shown(credentials: Credentials, shown: Shown) -> None:
    """One context for all connections, so that sessions can be resumed."""
    first = credentials.choose()
    show(credentials)
    assert credentials.choose() is first
    assert not credentials.accepted(first)
    assert not credentials.ended(first, refused=True, word="broker.certificate")
    assert (credentials.state, shown.pairs) == ("", [("old", "old")])


def test_the_new_pair_is_in_force_after_a_connack(
    credentials: Credentials, shown: Shown, tmp_path: Path
) -> None:
    """Tried first, kept beside the old until then, the trial's session goes on."""
    placed(tmp_path, "new", ".new")
    assert credentials.state == "trial"
    trial = credentials.choose()
    show(credentials)
    assert shown.pairs == [("new", "new")]
    assert (tmp_path / "t.pem").read_text() == "old"
    assert credentials.accepted(trial)
    assert {one.name: one.read_text() for one in tmp_path.iterdir()} == {
        "t.pem": "new",
        "t.key": "new",
    }
    assert credentials.choose() is trial
    assert credentials.state == ""


@pytest.mark.parametrize("only", ["", "t.key"])
def test_what_came_after_the_trial_began_is_not_put_in_force(
    credentials: Credentials, shown: Shown, tmp_path: Path, only: str
) -> None:
    """Nobody answered for it yet; nor is a key put in force whose certificate is still to come."""
    placed(tmp_path, "new", ".new")
    trial = credentials.choose()
    show(credentials)
    (tmp_path / "t.pem.new").unlink()
    placed(tmp_path, "newer", ".new", only=only)
    assert not credentials.accepted(trial)
    assert (tmp_path / "t.pem").read_text() == (tmp_path / "t.key").read_text() == "old"
    placed(tmp_path, "newer", ".new")
    later = credentials.choose()
    show(credentials)
    assert shown.pairs[-1] == ("newer", "newer")
    assert credentials.accepted(later)
    assert (tmp_path / "t.pem").read_text() == (tmp_path / "t.key").read_text() == "newer"


def test_a_refused_pair_is_not_tried_again_until_it_changes(
    credentials: Credentials, shown: Shown, tmp_path: Path
) -> None:
    """The old one serves meanwhile; other files get their own trial."""
    placed(tmp_path, "bad", ".new")
    trial = credentials.choose()
    assert credentials.ended(trial, refused=True, word="broker.certificate")
    for _ in range(3):
        assert credentials.choose() is not trial
    assert credentials.state == "refused"
    placed(tmp_path, "better", ".new")
    assert credentials.state == "trial"
    show(credentials)
    assert shown.pairs == [("better", "better")]


def test_a_trial_that_told_nothing_takes_turns(credentials: Credentials, tmp_path: Path) -> None:
    """A dead network proves nothing about a certificate: new, old, new."""
    placed(tmp_path, "new", ".new")
    trial = credentials.choose()
    assert credentials.ended(trial, refused=False, word="broker.closed")
    assert credentials.state == "trial"
    old = credentials.choose()
    assert old is not trial
    assert not credentials.accepted(old)
    assert credentials.choose() not in (old, trial)


def test_a_renewed_certificate_may_keep_its_key(
    credentials: Credentials, shown: Shown, tmp_path: Path
) -> None:
    """Only the certificate is new."""
    placed(tmp_path, "new", ".new", only="t.pem")
    trial = credentials.choose()
    show(credentials)
    assert shown.pairs == [("new", "old")]
    assert credentials.accepted(trial)
    assert (tmp_path / "t.pem").read_text() == "new"


def test_a_key_alone_is_not_issued_yet(credentials: Credentials, tmp_path: Path) -> None:
    """Made for a certificate that is still to come."""
    placed(tmp_path, "new", ".new", only="t.key")
    assert credentials.state == ""


def test_cut_off_between_the_two_files_the_change_is_finished(
    credentials: Credentials, shown: Shown, tmp_path: Path
) -> None:
    """The new key stands, its certificate does not yet: the trial shows the two that belong."""
    placed(tmp_path, "new", only="t.key")
    placed(tmp_path, "new", ".new", only="t.pem")
    trial = credentials.choose()
    show(credentials)
    assert shown.pairs == [("new", "new")]
    assert credentials.accepted(trial)
    assert not list(tmp_path.glob("*.new"))


def test_a_disk_that_refuses_leaves_the_trial_open(
    credentials: Credentials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It worked with the broker, the files stay, the next connection tries again."""

    def refuse(self: Path, target: object) -> Path:
        raise OSError(30, "Read-only file system")

    placed(tmp_path, "new", ".new")
    trial = credentials.choose()
    monkeypatch.setattr(Path, "replace", refuse)
    assert not credentials.accepted(trial)
    assert (tmp_path / "t.pem").read_text() == "old"
    assert credentials.choose() is trial


def test_without_certificates_there_is_nothing_to_renew(shown: Shown) -> None:
    """No cert_file: no trial, whatever lies around."""
    assert Credentials(shown, "", "", "").state == ""
