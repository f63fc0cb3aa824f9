"""docs/fleet/recipes.md as a stranger follows it: from certificates to the first command."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from agent.cli.app import main
from agent.fleet import keys
from tests.fleet_rig.brokers import Mosquitto
from tests.process.daemon import ROOT, Daemon

pytestmark = [
    pytest.mark.process,
    pytest.mark.broker,
    pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl: no certificates"),
]
PAGE = (ROOT / "docs/fleet/recipes.md").read_text("utf-8")


def commands(first_word: str) -> list[list[str]]:
    """Those of the page, in its order; the host is this machine."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    lines = [line for kind, block in blocks if not kind for line in block.splitlines()]
    access = next(line for line in lines if line.startswith("ACCESS=")).split('"')[1]
    lines = [
        line.replace("$ACCESS", access).replace("broker.example", "localhost") for line in lines
    ]
    return [shlex.split(line, comments=True) for line in lines if line.startswith(first_word + " ")]


def quick_settings(pki: Path, port: int) -> tuple[str, str]:
    """[agent] and [telemetry] as on the page, with this machine's paths."""
    text = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)[0]
    text = re.sub("/etc/posagent/fleet|/var/lib/posagent/tls", str(pki), text).replace(
        "broker.example:8883", f"localhost:{port}"
    )
    agent, telemetry = text.split("[telemetry]")
    assert 'device_id = "T-0042"' in agent
    return 'tenant = "acme"', f"[telemetry]\nboot_delay_s = 0\n{telemetry}"


def test_the_page_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The real daemon with its certificate is seen by the operator, and obeys his command."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(keys, "OPS", 1)
    monkeypatch.setattr(keys, "MEMORY_BYTES", 65_536)
    (tmp_path / "phrase.txt").write_text("correct horse\n")
    made = [words for words in commands("sh") if words[1].endswith("certificates.sh")]
    assert [words[2] for words in made] == ["ca", "server", "terminal", "operator", "revoke"]
    for words in made[:-1]:
        subprocess.run(["sh", str(ROOT / words[1]), *words[2:]], check=True, timeout=60)
    watch, new_key, send = commands("posagent")
    assert main(new_key[1:]) == 0
    table = capsys.readouterr().out.partition("[[fleet_key]]")[2]
    pki = tmp_path / "pki"
    broker = Mosquitto(tmp_path, pki)
    broker.start()
    here = {"mqtts://localhost:8883": f"mqtts://localhost:{broker.port}"}
    try:
        with Daemon() as daemon:
            agent, telemetry = quick_settings(pki, broker.port)
            daemon.configure(f"{telemetry}\n[[fleet_key]]{table}", agent=agent)
            text = daemon.config_file.read_text("utf-8").replace("test-terminal", "T-0042")
            daemon.config_file.write_text(text, "utf-8")
            daemon.start()
            daemon.wait_log("event=telemetry_connected")
            assert main([here.get(word, word) for word in [*send[1:], "--wait", "0.3"]]) == 0
            assert "T-0042" in capsys.readouterr().out
            assert main([here.get(word, word) for word in [*watch[1:], "--wait", "0.5"]]) == 0
            assert re.search(r"T-0042 +online", capsys.readouterr().out)
            subprocess.run(["sh", str(ROOT / made[-1][1]), *made[-1][2:]], check=True, timeout=60)
            assert (pki / "crl.pem").exists()
    finally:
        broker.stop()
