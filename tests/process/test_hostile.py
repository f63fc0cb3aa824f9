"""The short form of `python -m tests.hostile`: some hundred slow clients, and every probe."""

from __future__ import annotations

import os
import threading

import pytest

from tests.hostile import rig
from tests.process.daemon import Daemon, wait_until

pytestmark = pytest.mark.process


def test_payments_go_on_among_hostile_clients() -> None:
    """180 slow clients of another user fill all that is not reserved; each payment is taken, every
    connection ends, and no probe is served that must not be."""
    stranger = rig.NOBODY if os.geteuid() == 0 else 0
    with Daemon() as daemon:
        nobody = stranger or os.getuid()
        page = rig.PAGE.format(home=daemon.home)
        daemon.configure(rig.IMPATIENT.format(nobody=f'"{nobody}"') + page)
        daemon.start()
        before = rig.descriptors(daemon)
        paying = rig.Paying(daemon)
        app = threading.Thread(target=paying.run)
        app.start()
        try:
            ends = rig.crowd(daemon, 180, 180, uid=stranger)
        finally:
            paying.stop.set()
            app.join()
        assert paying.keys
        assert not ends.get("still open"), ends
        assert ends.get("503", 0) + ends.get("cut", 0), "the crowd filled nothing"
        for key in paying.keys:
            assert daemon.get(f"/v1/transactions/{key}").status == 200
        wait_until(lambda: rig.descriptors(daemon) <= before + 4, "its descriptors are free")
        count, wrong = rig.tried(daemon)
        assert count > 100
        assert not wrong
        assert rig.control(daemon), "the payment behind the probes would have been taken"
