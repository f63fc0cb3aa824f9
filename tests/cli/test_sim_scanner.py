"""`posagent sim scanner` as a process, orders to it, and `posagent probe scanner`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.test_commands import outcome, posagent, until
from tests.cli.test_sim import running


def test_scanner_takes_orders_and_probe_sees_them(tmp_path: Path) -> None:
    """Orders in one process are seen by `probe` in another, and a wrong one is explained."""
    tmp_path.chmod(0o700)
    tty, control = tmp_path / "scanner", tmp_path / "control"
    config = tmp_path / "posagent.toml"
    config.write_text(f'[scanner]\ndevice = "{tty}"\nopen = "always"\nanswer_timeout_s = 10\n')
    config.chmod(0o600)

    def told() -> dict[str, object]:
        said = posagent("probe", "scanner", "--config", config, "--json").stdout
        found: dict[str, object] = json.loads(said)
        return found

    order = ("sim", "scanner", "--control", control)
    with running("scanner", "--path", tty, "--control", control, "--vendor", "datalogic") as lines:
        assert lines == [f"scanner {tty}", f"control {control}"]
        until(control.exists)
        fine = told()
        assert fine["conditions"] == []
        assert fine["evidence"]["dialect"] == "datalogic"  # type: ignore[index]
        assert outcome(posagent(*order, "self-test", "fail"))[0] == 0
        assert told()["conditions"] == ["scanner.sensor_fault"]
        assert outcome(posagent(*order, "cable", "out"))[0] == 0
        assert told()["conditions"] == ["scanner.disconnected"]
        code, said = outcome(posagent(*order, "battery", "full"))
        assert code == 2
        assert "between 0 and 100" in said
        status = json.loads(posagent(*order, "status").stdout)
        assert status["orders"] == []
    assert outcome(posagent(*order, "status"))[0] == 3
    assert outcome(posagent("sim", "scanner", "--control", control))[0] == 2
