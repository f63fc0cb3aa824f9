"""The shop and the world around it: a terminal, two routers, the internet, a host, in namespaces.

    term --eth0-- sw (switch) -- gw ==line== net -- host
      \\--wwan0------------------ gw2 ==line2== net

The real daemon runs in `term` with rights like those of a service user and a resolv.conf of its
own. Lines between routers and the internet can lose, delay and swallow (`tests.network.line`).
`heal` puts everything back as `build` made it, whatever a fault did. What a fault is, and what the
daemon should say of it, is not known here.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Self

from agent.config import Config, Connectivity
from agent.core.health.standard import STANDARD
from agent.link.tls import server_context
from agent.sim.host import HostOptions, HostThread
from agent.sim.host_faults import Fault
from tests.network.certificates import HOST_NAME, Certificates
from tests.network.doubles import BadHost, Names, NameServer, Portal, StrictHost, full_backlog
from tests.network.line import Line, Weather
from tests.network.netns import LabError, Namespace, Namespaces, cable, enter, missing
from tests.process.daemon import Daemon, wait_until
from tests.process.shim import COMPILER, Shim

HOST, BROKER_PORT, PORT = "198.51.100.10", 8883, 443
CHECK, CHECK_NAME = "203.0.113.80", "check.test"
PUBLIC_DNS = "203.0.113.53"
TERMINAL, GATEWAY = "10.77.0.2", "10.77.0.1"
SECOND, SECOND_GATEWAY = "10.78.0.2", "10.78.0.1"
NAMES = {HOST_NAME: HOST, CHECK_NAME: CHECK, "broker.test": HOST}
_ALLOWANCE = "probe_bytes_per_day"
#: Settings of [connectivity], where this daemon has them.
_WAY = {
    "tunnels": 'tunnels = ["vpn0"]',
    "portal_url": f'portal_url = "http://{CHECK_NAME}/generate_204"',
    # A day's allowance is for one fault or two, not for sixty within ten minutes.
    _ALLOWANCE: "probe_bytes_per_day = 100_000_000",
    "references": f'references = ["{CHECK}:80", "{PUBLIC_DNS}:53"]',
}
#: What was issued for this terminal: merchant and terminal numbers.
ISSUED = {"merchant_id": "M00000000000001", "terminal_id": "T0000001"}
#: What a service user has: none of root's rights to read and write everything.
BARE = ("setpriv", "--bounding-set", "-all", "--inh-caps", "-all", "--no-new-privs")
_NUMBER = itertools.count(1)
#: Where the terminal's clock is turned: the library preloaded into the daemon alone.
NO_CLOCK = "" if COMPILER else "no C compiler: the daemon's clock cannot be turned"


class LabHost:
    """The host of the acquirer, in its namespace, with one ledger whatever becomes of it."""

    def __init__(self, place: Namespace, home: Path, certificates: Certificates) -> None:
        self._place = place
        self._certificates = certificates
        good = certificates.host("good")
        self._options = HostOptions(
            address=HOST, port=PORT, ledger_file=home / "ledger.jsonl", sync=False,
            cert_file=good.cert, key_file=good.key, client_ca_file=certificates.ca, in_flight_s=1,
        )  # fmt: skip
        self._thread: HostThread | None = None
        self._bad: BadHost | StrictHost | None = None
        self._stuck: list[socket.socket] = []
        self.good()

    def good(self) -> None:
        """As it should be."""
        good = self._certificates.host("good")
        wanted = replace(self._options, cert_file=good.cert, key_file=good.key)
        if self._thread is None or wanted != self._options:
            self._serve(wanted)
        else:
            self._thread.apply(Fault())

    def certificate(self, kind: str) -> None:
        """Show another certificate from now on."""
        pair = self._certificates.host(kind)
        self._serve(replace(self._options, cert_file=pair.cert, key_file=pair.key))

    def fault(self, name: str, **changes: object) -> None:
        assert self._thread is not None
        self._thread.apply(Fault.named(name, **changes))

    def silent(self) -> None:
        """TCP is accepted, and that is all."""
        self._stop()
        self._bad = BadHost(self._place, HOST, PORT, resets=False)

    def strict(self) -> None:
        """Says by a TLS alert why it refuses the terminal's certificate."""
        self._stop()
        good = self._certificates.host("good")
        tls = server_context(str(good.cert), str(good.key), str(self._certificates.ca))
        self._bad = StrictHost(self._place, HOST, PORT, tls)

    def resets(self) -> None:
        self._stop()
        self._bad = BadHost(self._place, HOST, PORT, resets=True)

    def stuck(self) -> None:
        """Its program hangs and its queue is full: SYNs are not answered."""
        self._stop()
        self._stuck = full_backlog(self._place, HOST, PORT)

    def keys(self) -> list[str]:
        """What was posted, in order, as often as it was posted."""
        assert self._thread is not None
        return [one.key for one in self._thread.host.ledger.postings()]

    def posts(self) -> int:
        """How many posts have come so far."""
        assert self._thread is not None
        return int(self._thread.host.state()["requests"].get("post", 0))

    def working(self) -> bool:
        """Whether a payment is being posted right now."""
        assert self._thread is not None
        return bool(self._thread.host.state()["in_progress"])

    def close(self) -> None:
        self._stop()

    def _stop(self) -> None:
        if self._thread is not None:
            self._thread.__exit__(None, None, None)
            self._thread = None
        if self._bad is not None:
            self._bad.close()
            self._bad = None
        for one in self._stuck:
            one.close()
        self._stuck = []

    def _serve(self, options: HostOptions) -> None:
        self._stop()
        self._options = options
        thread = _HostInside(options, self._place)
        thread.__enter__()
        self._thread = thread


class _HostInside(HostThread):
    """The simulated host in a thread that lives in a namespace."""

    def __init__(self, options: HostOptions, place: Namespace) -> None:
        super().__init__(options)
        self._place = place

    def __enter__(self) -> Self:
        self._loop.call_soon(enter, self._place.name)
        super().__enter__()
        return self


class Terminal(Daemon):
    """The real daemon inside the terminal's namespace."""

    quick = False  # how fast a cause is named is measured here

    def __init__(self, place: Namespace) -> None:
        super().__init__()
        self._place = place
        self.resolv = self.home / "resolv.conf"
        self.resolv.write_text(f"nameserver {GATEWAY}\n")
        self.shim = None if COMPILER is None else Shim(self.home, self.state_dir)
        self.wrapper: tuple[str, ...] = BARE

    def command(self, *arguments: str) -> list[str]:
        preload = {} if self.shim is None else self.shim.environment
        inner = [*self.wrapper, "env", *(f"{name}={value}" for name, value in preload.items())]
        mount = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
        words = ["sh", "-c", mount, str(self.resolv), *inner, *super().command(*arguments)]
        return self._place.command(*words)

    def close(self) -> None:
        self.kill()
        if self.shim is not None:
            self.shim.close()
        self.__exit__(None, None, None)

    def resolver(self, *servers: str) -> None:
        """Write the terminal's resolv.conf in place: the mount is of this very file."""
        with self.resolv.open("w") as file:
            file.write("".join(f"nameserver {one}\n" for one in servers))


class Lab:
    """Everything, built in a second or two. Use as a context manager."""

    def __init__(self) -> None:
        if reason := missing():
            raise LabError(reason)
        self._stack = contextlib.ExitStack()
        self.home = Path(tempfile.mkdtemp(prefix="pl-", dir="/tmp"))
        self._stack.callback(shutil.rmtree, self.home, ignore_errors=True)
        try:
            self._build()
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _build(self) -> None:
        spaces = self._stack.enter_context(Namespaces(f"pl{os.getpid()}x{next(_NUMBER)}"))
        self.term, self.sw = spaces.add("term"), spaces.add("sw")
        self.gw, self.gw2 = spaces.add("gw", forward=True), spaces.add("gw2", forward=True)
        self.net, self.host_place = spaces.add("net", forward=True), spaces.add("host")
        cable(self.sw, "pterm", self.term, "eth0")
        cable(self.sw, "pgw", self.gw, "lan0")
        cable(self.gw2, "lan0", self.term, "wwan0")
        cable(self.net, "h0", self.host_place, "eth0")
        self.sw.ip("link add br0 type bridge", "link set br0 up")
        self.line = Line(self.gw, "wan0", self.net, "cust0")
        self._stack.callback(self.line.close)
        self.line2 = Line(self.gw2, "wan0", self.net, "cust1")
        self._stack.callback(self.line2.close)
        self.net.ip(
            f"addr add {CHECK}/32 dev lo", f"addr add {PUBLIC_DNS}/32 dev lo",
            "addr add 198.51.100.1/24 dev h0", "link set h0 up",
        )  # fmt: skip
        self.host_place.ip(
            f"addr add {HOST}/24 dev eth0", "link set eth0 up",
            "route add default via 198.51.100.1",
        )  # fmt: skip
        self.certificates = Certificates(self.home / "pki")
        self.own_ca = self.home / "own-ca.pem"
        self.own_cert, self.own_key = self.home / "own.pem", self.home / "own.key"
        self.trust("ca")
        self.present_certificate("good")
        self._wire()
        self.names = NameServer(self.gw, GATEWAY, NAMES)
        self._stack.callback(self.names.close)
        self.public_names = NameServer(self.net, PUBLIC_DNS, NAMES)
        self._stack.callback(self.public_names.close)
        self.second_names = NameServer(self.gw2, SECOND_GATEWAY, NAMES)
        self._stack.callback(self.second_names.close)
        self.portal = Portal(self.net, CHECK)
        self._stack.callback(self.portal.close)
        self.host = LabHost(self.host_place, self.home, self.certificates)
        self._stack.callback(self.host.close)
        self.broker: subprocess.Popen[bytes] | None = None
        self._stack.callback(self.stop_broker)
        self._app: subprocess.Popen[bytes] | None = None
        self._stack.callback(self.stop_app)
        self.app_pid, self.profile = self.home / "app.pid", self.home / "profile.json"
        self.settings_file = self.home / "settings.json"
        self._settle()
        self.terminal = Terminal(self.term)
        self._stack.callback(self.terminal.close)

    def _wire(self) -> None:
        """Every link, address and route as it should be; whatever was there before."""
        self.term.ip(
            "addr flush dev eth0", "addr flush dev wwan0", "route flush table main",
            "link set wwan0 down", may_fail=True,
        )  # fmt: skip
        self.sw.ip(
            "link set pterm master br0", "link set pterm up", "link set pgw master br0",
            "link set pgw up", may_fail=True,
        )  # fmt: skip
        self.gw.ip(
            "addr flush dev lan0", "addr flush dev wan0", "link set lan0 up", "link set wan0 up",
            "link set lan0 arp on", f"addr add {GATEWAY}/24 dev lan0",
            "addr add 10.79.0.2/30 dev wan0", "route replace default via 10.79.0.1",
        )  # fmt: skip
        self.gw2.ip(
            "addr flush dev lan0", "addr flush dev wan0", "link set lan0 up", "link set wan0 up",
            f"addr add {SECOND_GATEWAY}/24 dev lan0", "addr add 10.79.0.6/30 dev wan0",
            "route replace default via 10.79.0.5",
        )  # fmt: skip
        self.net.ip(
            "addr flush dev cust0", "addr flush dev cust1", "link set cust0 up",
            "link set cust1 up", "addr add 10.79.0.1/30 dev cust0",
            "addr add 10.79.0.5/30 dev cust1", "route replace 10.77.0.0/24 via 10.79.0.2",
            "route replace 10.78.0.0/24 via 10.79.0.6",
        )  # fmt: skip
        self.term.ip(
            "link set eth0 up", f"addr add {TERMINAL}/24 dev eth0",
            f"route replace default via {GATEWAY} dev eth0 metric 100",
            "neigh flush dev eth0",
        )  # fmt: skip

    def _settle(self) -> None:
        """What lies around the daemon: the payment app, its settings, the fleet's broker."""
        if self._app is None:
            self._app = subprocess.Popen(["sleep", "infinity"], stdin=subprocess.DEVNULL)
            self.app_pid.write_text(f"{self._app.pid}\n")
        self.profile.write_text(json.dumps({"profile": "lab", "settings": ISSUED}))
        self.settings_file.write_text(json.dumps(ISSUED))
        if self.broker is None:
            self.start_broker()
        self.term.ip(
            f"link add vpn0 type veth peer name vpn1 netns {self.sw.name}", "link set vpn0 up",
            "addr replace 10.88.0.1/30 dev vpn0", may_fail=True,
        )  # fmt: skip
        self.sw.ip("link set vpn1 up")

    def stop_app(self) -> None:
        """The payment app is gone."""
        if self._app is not None:
            self._app.kill()
            self._app.wait(10)
            self._app = None

    def present_certificate(self, kind: str) -> None:
        """The terminal's own certificate and key; the daemon takes them up when it starts."""
        pair = self.certificates.client(kind)
        shutil.copyfile(pair.cert, self.own_cert)
        shutil.copyfile(pair.key, self.own_key)
        self.own_key.chmod(0o600)
        os.chown(self.own_key, 0, 0)

    def trust(self, kind: str) -> None:
        """The authorities the terminal trusts: `ca`, `strange_ca` or `old_ca`."""
        self.certificates.host("old_authority")
        shutil.copyfile(getattr(self.certificates, kind), self.own_ca)

    def second_channel(self) -> None:
        """The backup of the terminal: a line of its own, its route behind the main one's."""
        self.term.ip(
            "link set wwan0 up", f"addr replace {SECOND}/24 dev wwan0",
            f"route replace default via {SECOND_GATEWAY} dev wwan0 metric 700",
        )  # fmt: skip

    def recable(self) -> None:
        """A new cable between terminal and switch, where the old interface is gone."""
        cable(self.sw, "pterm", self.term, "eth0")

    def heal(self) -> None:
        """Back to how it was built."""
        self.line.weather = self.line2.weather = Weather()
        if not self.present("eth0"):
            self.recable()
        self._wire()
        for one in (self.names, self.public_names, self.second_names):
            one.mode, one.delay_s = Names.ANSWERS, 0.0
            one.table = dict(NAMES)
        self.portal.form, self.portal.clock_offset_s = "open", 0
        self.terminal.resolver(GATEWAY)
        if self.terminal.shim is not None:
            self.terminal.shim.well()
        self.present_certificate("good")
        self.trust("ca")
        self._settle()
        self.host.good()

    def present(self, interface: str) -> bool:
        """Whether the terminal has it."""
        return self.term.inside(lambda: any(name == interface for _, name in socket.if_nameindex()))

    def start_broker(self) -> bool:
        """Mosquitto over TLS beside the host; false where it is not installed."""
        program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
        if program is None:
            return False
        good = self.certificates.broker()
        file = self.home / "broker.conf"
        file.write_text(
            f"listener {BROKER_PORT} {HOST}\nallow_anonymous true\n"
            f"certfile {good.cert}\nkeyfile {good.key}\nuser root\n"
        )
        self.broker = subprocess.Popen(
            self.host_place.command(program, "-c", str(file)),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        return True

    def stop_broker(self) -> None:
        if self.broker is not None:
            self.broker.terminate()
            self.broker.wait(10)
            self.broker = None

    def configure(
        self, *, extra: str = "", uplink: str = "", connectivity: str = "", thrifty: bool = False
    ) -> None:
        """The configuration of the lab: no delays before an alarm shows, an impatient uplink.

        `thrifty`: the probes' allowance as built in.
        """
        lines = ["[connectivity]", "slow_ms = 1300", "timeout_s = 4"]
        known = set(Connectivity.__struct_fields__) - ({_ALLOWANCE} if thrifty else set())
        lines += [text for key, text in _WAY.items() if key in known]
        lines += [connectivity, extra, *self._more()]
        lines += (
            f'[health."{code}"]\nvisible_after_s = 0\nclear_after_s = 0'
            for code in sorted(one.code for one in STANDARD)
        )
        uplink_lines = [
            f'ca_file = "{self.own_ca}"', f'cert_file = "{self.own_cert}"',
            f'key_file = "{self.own_key}"', "connect_timeout_s = 4", "answer_timeout_s = 4",
            "pause_s = 2", "keep_alive_s = 1", uplink,
        ]  # fmt: skip
        self.terminal.configure(
            "\n".join(lines),
            url=f"https://{HOST_NAME}/v1/transactions",
            uplink="\n".join(uplink_lines),
        )

    def seen_well(self) -> None:
        """Until the daemon has looked at its network once: what it had is what a fault takes."""
        wait_until(lambda: "connectivity" in self.terminal.components(), "the network is looked at")

    def _more(self) -> Iterator[str]:
        """Sections about what is not the network."""
        sections = Config.__struct_fields__
        if self.broker is not None:
            yield "[telemetry]"
            yield f'endpoints = ["mqtts://broker.test:{BROKER_PORT}"]\nca_file = "{self.own_ca}"'
            yield "boot_delay_s = 0\nreconnect_cap_s = 2"
        if "payment_app" in sections:
            yield f'[payment_app]\npid_file = "{self.app_pid}"\nperiod_s = 5\nstart_grace_s = 0'
        if "configuration" in sections:
            yield f'[configuration]\nprofile = "{self.profile}"\nperiod_s = 5'
            yield f'[[settings_file]]\npath = "{self.settings_file}"'


@contextlib.contextmanager
def running(**settings: str) -> Iterator[Lab]:
    """A lab with the daemon up and the first payment through."""
    with Lab() as lab:
        lab.configure(**settings)
        lab.terminal.start()
        lab.seen_well()
        yield lab
