"""Two channels: the main one cut while a payment is on its way, its healing, and a flapping one.

Three scenes with one daemon each. What is measured is seen from outside: the host's ledger says
what arrived and when, the lines which way it came. The flapping is shortened with all its periods
by one factor, unless the long form is asked for.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from agent.config import Config
from tests.network.lab import SECOND_GATEWAY, Lab
from tests.network.line import Weather
from tests.process.daemon import payment, wait_until

#: The next upload leaves by the backup so soon after the break is proven.
FAILOVER_S = 5.0
MOST_SWITCHES = 3
#: The flapping asked for: down and up in turn, this long each, for so long.
FLAP_S, FLAPPING_S = 20.0, 600.0
SHORTER = 4.0

CHANNELS = f"""
[[channel]]
name = "lan"
kind = "ethernet"
interface = "eth0"
[[channel]]
name = "cell"
kind = "cellular"
interface = "wwan0"
metered = true
resolvers = ["{SECOND_GATEWAY}"]
"""


def unavailable() -> str:
    """Why nothing of this can be run; empty: it can."""
    sections = Config.__struct_fields__
    return "" if {"channel", "channels"} <= set(sections) else "this daemon has no [[channel]]"


@dataclass(slots=True, kw_only=True)
class Findings:
    """What is reported of the scenes."""

    lines: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def judge(self, well: bool, line: str) -> None:
        self.lines.append(line if well else f"{line} - MISSED")
        if not well:
            self.problems.append(line)


def run(say: Callable[[str], None], *, long: bool) -> Findings:
    """All scenes."""
    findings = Findings()
    for name, cut in (("cable pulled", _pull), ("line silent", _silence)):
        with _lab("quiet_s = 3\nprobe_s = 1\nquiet_max_s = 20") as lab:
            _cut(lab, findings, name, cut)
        say(f"two channels: {findings.lines[-1]}")
    with Lab() as lab:
        _flap(lab, findings, 1.0 if long else SHORTER)
    say(f"two channels: {findings.lines[-1]}")
    return findings


class _lab(Lab):  # noqa: N801 - reads as the context it is
    """A lab with both channels and the daemon up."""

    def __init__(self, terms: str) -> None:
        super().__init__()
        try:
            start(self, terms)
        except BaseException:
            self.__exit__(None, None, None)
            raise


def start(lab: Lab, terms: str) -> None:
    """Both channels configured and usable, the first payment through."""
    lab.second_channel()
    lab.configure(extra=f"{CHANNELS}\n[channels]\n{terms}")
    lab.terminal.start()
    assert lab.terminal.submit(payment("c-0")).status == 201
    lab.terminal.wait_drained()
    wait_until(lambda: _in_use(lab) == "lan", "the main channel is in use")


def _cut(lab: Lab, findings: Findings, name: str, cut: Callable[[Lab], None]) -> None:
    """Payments all the time; one of them is with the host when the main channel is cut."""
    keys = ["c-0"]
    lab.host.fault("delay", delay_s=0.7)
    _pay(lab, keys)
    before = lab.host.posts()
    wait_until(lambda: lab.host.posts() > before or lab.host.working(), "a payment on its way")
    began = time.monotonic()
    cut(lab)
    lab.host.fault("none")
    carried = lab.line2.counters.up_bytes
    posted = len(lab.host.keys())
    failed_s = took_s = switched_s = None
    while time.monotonic() - began < 30:
        now_s = time.monotonic() - began
        if failed_s is None and _failing(lab):
            failed_s = now_s
        if switched_s is None and _in_use(lab) == "cell":
            switched_s = now_s
        if int(now_s / 0.5) >= len(keys) - 1:
            _pay(lab, keys)
        if len(lab.host.keys()) > posted and lab.line2.counters.up_bytes > carried + 500:
            took_s = now_s
            break
        time.sleep(0.1)
    wait_until(lambda: _in_use(lab) == "cell", "the backup in use", timeout_s=15)
    lab.sw.ip("link set pterm up")
    lab.line.weather = Weather()
    healed = time.monotonic()
    back_s = None
    while time.monotonic() - healed < 40:
        _pay(lab, keys)
        if _in_use(lab) == "lan":
            back_s = time.monotonic() - healed
            break
        time.sleep(0.3)
    _pay(lab, keys)
    lab.terminal.wait_drained()
    twice, gone = _ledger(lab, keys)
    # Proven: what the daemon itself takes for a break, its first failed contact or its switch.
    proofs = [one for one in (failed_s, switched_s) if one is not None]
    after_s = None if took_s is None else max(0.0, took_s - min(proofs, default=0.0))
    well = after_s is not None and after_s <= FAILOVER_S and back_s is not None
    findings.judge(
        well and not twice and not gone,
        f"main cut in mid-upload ({name}): next upload by the backup {_s(took_s)} after the cut, "
        f"{_s(after_s)} after the proof; back on the main {_s(back_s)} after it healed; "
        f"{len(keys)} payments, {twice} twice, {gone} missing",
    )


def _flap(lab: Lab, findings: Findings, shorter: float) -> None:
    """Down and up in turn; the daemon's own terms are shortened by the same factor."""
    terms = (
        f"quiet_s = {60 / shorter:g}\nquiet_max_s = {1800 / shorter:g}\n"
        f"probe_s = {15 / shorter:g}\ncalm_s = {3600 / shorter:g}\n"
        f"grace_s = {3 / shorter:g}\ndoubt_after_s = {3 / shorter:g}\n"
        f"probe_timeout_s = {2.5 / shorter:g}\nrecheck_s = {1 / shorter:g}"
    )
    start(lab, terms)
    keys, began, up = ["c-0"], time.monotonic(), True
    turn_s, whole_s = FLAP_S / shorter, FLAPPING_S / shorter
    turns = 0
    while time.monotonic() - began < whole_s:
        if time.monotonic() - began >= turns * turn_s:
            turns += 1
            up = not up
            lab.line.weather = Weather() if up else Weather(drops=lambda _packet: True)
        _pay(lab, keys)
        time.sleep(1.0)
    lab.line.weather = Weather()
    switches = _values(lab).get("switches")
    lab.terminal.wait_drained()
    twice, gone = _ledger(lab, keys)
    findings.judge(
        isinstance(switches, int) and switches <= MOST_SWITCHES and not twice and not gone,
        f"main flapping every {turn_s:g} s for {whole_s:g} s"
        f"{f' (all periods divided by {shorter:g})' if shorter != 1 else ''}: {switches} switches "
        f"(asked: {MOST_SWITCHES} at most); {len(keys)} payments, {twice} twice, {gone} missing",
    )


def _pull(lab: Lab) -> None:
    lab.sw.ip("link set pterm down")


def _silence(lab: Lab) -> None:
    lab.line.weather = Weather(drops=lambda _packet: True)


def _pay(lab: Lab, keys: list[str]) -> None:
    key = f"c-{len(keys)}"
    assert lab.terminal.submit(payment(key)).status == 201
    keys.append(key)


def _ledger(lab: Lab, keys: list[str]) -> tuple[int, int]:
    posted = Counter(lab.host.keys())
    return sum(count > 1 for count in posted.values()), len(set(keys) - set(posted))


def _values(lab: Lab) -> dict[str, object]:
    values: dict[str, object] = lab.terminal.components().get("channels", {}).get("values", {})
    return values


def _in_use(lab: Lab) -> object:
    return _values(lab).get("in_use")


def _failing(lab: Lab) -> bool:
    told = lab.terminal.get("/v1/status").json["channels"]
    return any(one["state"] in ("backing_off", "paused") for one in told)


def _s(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f} s"
