"""`posagent sim modem` as a process, orders to it, and `posagent probe signal`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.test_commands import outcome, posagent, until
from tests.cli.test_sim import running


def test_modem_takes_orders_and_probe_sees_them(tmp_path: Path) -> None:
    """Orders in one process are seen by `probe` in another, and a wrong one is explained."""
    tmp_path.chmod(0o700)
    tty, control = tmp_path / "modem", tmp_path / "control"
    config = tmp_path / "posagent.toml"
    config.write_text(f'[cellular]\ndevice = "{tty}"\nopen = "always"\nanswer_timeout_s = 10\n')
    config.chmod(0o600)

    def told() -> dict[str, object]:
        said = posagent("probe", "signal", "--config", config, "--json").stdout
        found: dict[str, object] = json.loads(said)
        return found

    order = ("sim", "modem", "--control", control)
    with running("modem", "--path", tty, "--control", control, "--maker", "ublox") as lines:
        assert lines == [f"modem {tty}", f"control {control}"]
        until(control.exists)
        assert told()["conditions"] == []
        assert outcome(posagent(*order, "sim", "pin"))[0] == 0
        assert told()["conditions"] == ["network.sim_problem"]
        code, said = outcome(posagent(*order, "rsrp", "-20"))
        assert code == 2
        assert "between -140 and -44" in said
        assert json.loads(posagent(*order, "status").stdout)["sim"] == "pin"
    assert outcome(posagent("sim", "modem", "--control", control))[0] == 2
