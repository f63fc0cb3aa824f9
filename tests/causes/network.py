"""Scenes of the way out: the laboratory of `tests.network`, a shop in network namespaces."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from tests.causes.bench import Bench
from tests.network.faults import FAULTS, Fault
from tests.network.lab import Lab
from tests.network.trial import REST_S
from tests.network.two_channels import start
from tests.process.daemon import payment, wait_until

#: Rows of the laboratory's table that are provoked, one for each cause.
LOWER = (
    "cable pulled at the switch",
    "no DHCP: 169.254",
    "no default route",
    "host refuses",
    "VPN interface down",
    "captive portal: redirect",
    "internet down, router says so",
    # Last: that a name could not be resolved is remembered for a while.
    "name unknown (NXDOMAIN)",
)
UPPER = (
    "host's certificate expired",
    "intercepting proxy (wrong CA)",
    "trusted authority expired",
    "terminal's certificate expired, host says so",
    "clock ten years ahead",
    "merchant number wrong",
    "payment app stopped",
    "slow line: round trips of 1.4 s",
    "link drops six times and stays",
)
_BY_NAME = {one.name: one for one in FAULTS}


def lower(bench: Bench) -> None:
    """Layers up to the host."""
    with _lab() as lab:
        for name in LOWER:
            _provoke(bench, lab, _BY_NAME[name])


def upper(bench: Bench) -> None:
    """Certificates, the clock, quality, and what lies beside."""
    with _lab(connectivity="certificate_warn_days = 365\n") as lab:
        bench.proved(
            lab.terminal, "tls.certificate_expiring", "certificate runs 300 days, warned at 365"
        )
    with _lab() as lab:
        for name in UPPER:
            _provoke(bench, lab, _BY_NAME[name])


@contextlib.contextmanager
def _lab(**settings: str) -> Iterator[Lab]:
    with Lab() as lab:
        lab.terminal.quick = True  # what is measured here is whether, not how soon
        lab.configure(**settings)
        lab.terminal.start()
        lab.seen_well()
        yield lab


def _provoke(bench: Bench, lab: Lab, fault: Fault) -> None:
    if fault.unavailable():
        bench.failures.append(f"{fault.expected}: {fault.name}: {fault.unavailable()}")
        return
    daemon = lab.terminal
    time.sleep(REST_S)
    if fault.restart:
        daemon.stop()
    fault.do(lab)
    if fault.restart:
        daemon.start()

    def business() -> None:
        if fault.pays:
            daemon.submit(payment())
        if fault.ask:
            daemon.post("/v1/inspections", {})

    business()

    def heal() -> None:
        if fault.undo is not None:
            fault.undo(lab)
        if fault.restart:
            daemon.kill()
        lab.heal()
        if fault.restart:
            daemon.start()
        daemon.post("/v1/queue/retry", {})
        wait_until(lambda: daemon.unsent() == 0, "all is paid again")

    bench.proved(
        daemon,
        fault.expected,
        f"namespace laboratory: {fault.name}",
        patience_s=40,
        undo=heal,
        again=business,
    )


def channels(bench: Bench) -> None:
    """Two ways out: the main one cut, then healed and the backup cut."""
    with Lab() as lab:
        lab.terminal.quick = True
        start(lab, "quiet_s = 2\nprobe_s = 1")
        lab.sw.ip("link set pterm down")
        lab.terminal.submit(payment())
        bench.proved(
            lab.terminal,
            "network.backup_in_use",
            "namespace laboratory: main channel's cable pulled, backup works",
            undo=lambda: lab.sw.ip("link set pterm up"),
        )
        wait_until(
            lambda: lab.terminal.components()["channels"]["values"]["in_use"] == "lan",
            "the main channel is in use again",
        )
        lab.gw2.ip("link set lan0 down")
        bench.proved(
            lab.terminal,
            "network.backup_unavailable",
            "namespace laboratory: backup channel's far end down",
            patience_s=60,
        )


SCENES = (lower, upper, channels)
