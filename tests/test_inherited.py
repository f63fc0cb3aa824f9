"""A listening socket made by init or systemd: found, checked, copied."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from agent import inherited
from agent.errors import OperatorError


def test_nothing_was_handed_over() -> None:
    """No variables, or those meant for the process that started us."""
    assert inherited.listening({}) is None
    assert inherited.listening({"LISTEN_PID": "1", "LISTEN_FDS": "1"}) is None
    own = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "0"}
    assert inherited.listening(own) is None


def test_the_socket_of_androids_init_is_copied(tmp_path: Path) -> None:
    """What is closed in the end is the copy: the next process finds the number as it was."""
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "s"))
        found = inherited.listening({inherited.ANDROID: str(made.fileno())})
        assert found is not None
        assert found.fileno() != made.fileno()
        assert found.getsockname() == str(tmp_path / "s")
        found.close()
        assert made.getsockname() == str(tmp_path / "s")


def test_systemd_names_it_by_our_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """LISTEN_PID must be ours; the descriptor is the first after the standard streams."""
    told = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
    assert inherited.number(told) == 3
    with pytest.raises(OperatorError, match="2 sockets"):
        inherited.number({**told, "LISTEN_FDS": "2"})


def test_what_is_no_unix_stream_socket_is_refused() -> None:
    """Datagrams, TCP, a file and a closed number: each is said, and nothing is served."""
    for family, kind in (
        (socket.AF_UNIX, socket.SOCK_DGRAM),
        (socket.AF_INET, socket.SOCK_STREAM),
    ):
        with (
            socket.socket(family, kind) as wrong,
            pytest.raises(OperatorError, match="no unix stream socket"),
        ):
            inherited.listening({inherited.ANDROID: str(wrong.fileno())})
    for number in (os.open(os.devnull, os.O_RDONLY), 999_999, 10**30):
        with pytest.raises(OperatorError, match="cannot be used"):
            inherited.listening({inherited.ANDROID: str(number)})
        if number < 999_999:
            os.close(number)
