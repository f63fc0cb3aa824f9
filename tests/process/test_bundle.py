"""A support bundle of the real daemon, and of the same terminal with the daemon dead.

Canaries lie wherever a bundle could take them from: card numbers in several forms, keys of the
payloads, of TLS and of the fleet, passwords, what stood on a receipt. None of them is in it.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from agent.sim.acquirer import AcquirerThread
from agent.sim.terminal import PaymentApp
from tests.process.daemon import LONG_S, ROOT, Daemon, payment, wait_until
from tests.process.test_canary import CARD, FORMS, MASKED, seen

pytestmark = pytest.mark.process

PASSWORD = "canary-Pa55word-of-the-broker"
FLEET_KEY = bytes(range(160, 192))
RECEIPT = "RECEIPT-CANARY-91c2 thank you"
PEM = (
    "-----BEGIN PRIVATE KEY-----\n"
    + base64.b64encode(b"canary-" + bytes(range(64))).decode()
    + "\n-----END PRIVATE KEY-----\n"
)
MARK = "an honest line of the kernel"


def run(daemon: Daemon, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        daemon.command(*arguments, "--config", str(daemon.config_file)),
        capture_output=True,
        env=daemon._environment(),
        cwd=daemon.home,
        timeout=LONG_S,
        check=False,
    )


def members(raw: bytes) -> dict[str, bytes]:
    """By name, the folder left out; every hash of the manifest checked."""
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        for one in tar:
            file = tar.extractfile(one)
            assert file is not None
            assert one.isfile()
            found[one.name.partition("/")[2]] = file.read()
    listed = json.loads(found["manifest.json"])["members"]
    assert {one["name"] for one in listed} == set(found) - {"manifest.json"}
    for one in listed:
        assert hashlib.sha256(found[one["name"]]).hexdigest() == one["sha256"]
    return found


def canaries(daemon: Daemon) -> dict[str, bytes]:
    """What must not be in it, as it would look there."""
    ring = (daemon.state_dir / "payload.keys").read_bytes()
    row = (daemon.state_dir / "row.key").read_bytes()
    found = {"password": PASSWORD.encode(), "receipt": RECEIPT.encode()}
    found["TLS key"] = PEM.split("\n")[1].encode()
    for name, secret in (("fleet key", FLEET_KEY), ("row key", row)):
        found[f"{name}, hex"] = secret.hex().encode()
        found[f"{name}, base64"] = base64.b64encode(secret).rstrip(b"=")
    words = [word for word in ring.replace(b'"', b" ").split() if len(word) >= 24]
    assert words, "the ring is text with keys in it"
    found |= {f"payload key {at}": word for at, word in enumerate(words)}
    return found


def planted(daemon: Daemon) -> bytes:
    """A kernel log that a careless driver has written everything into."""
    lines = [MARK, f"user=till password={PASSWORD}", PASSWORD, PEM, FLEET_KEY.hex()]
    lines += [base64.b64encode(FLEET_KEY).decode(), f"track {CARD}=2512"]
    raw = "\n".join(lines).encode()
    for name in sorted(FORMS):
        base, _, offset = name.partition(" in base64")
        if base == "plain" and offset:
            code = base64.urlsafe_b64encode if "url" in offset else base64.b64encode
            raw += b"\nx " + code(b"-" * int(offset[-1]) + FORMS[base] + b"-tail") + b" y"
        elif "packed" not in name and name != "reversed":
            raw += b"\nx " + FORMS[name] + b" y"
    ring = (daemon.state_dir / "payload.keys").read_bytes()
    row = (daemon.state_dir / "row.key").read_bytes()
    return raw + b"\n" + ring + b"\n" + row.hex().encode() + b"\n" + MARK.encode() + b" too\n"


def clean(daemon: Daemon, raw: bytes) -> dict[str, bytes]:
    found = members(raw)
    for name, content in found.items():
        assert not seen(content), (name, seen(content))
        for what, secret in canaries(daemon).items():
            assert secret not in content, (name, what)
    return found


def test_no_canary_leaves_in_a_bundle() -> None:
    """Alive, dead, and with the journal gone; control: what was planted is seen where it lies."""
    with AcquirerThread() as host, Daemon() as daemon:
        root = daemon.home / "root"
        (root / "var/log").mkdir(parents=True)
        (root / "proc").mkdir()
        for name, content in (
            ("broker.password", PASSWORD.encode()), ("fleet.key", FLEET_KEY),
            ("tls.key", PEM.encode()),
        ):  # fmt: skip
            file = daemon.home / name
            file.write_bytes(content)
            file.chmod(0o600)
        extra = (
            f'[system]\nroot = "{root}"\n[bundle]\nkeep = 2\n'
            f'[telemetry]\nendpoints = ["mqtt://127.0.0.1:9"]\n'
            f'username = "till"\npassword_file = "{daemon.home / "broker.password"}"\n'
        )
        profile = host.acquirer.profile(protected_fields=["2"])
        extra += '[[uplink]]\nname = "paper"\nurl = "http://127.0.0.1:9/"\n'
        daemon.configure(profile + extra, agent='tenant = "acme"')
        daemon.start()
        for name in ("fleet.key", "tls.key"):  # where the agent itself would keep them
            (daemon.home / name).rename(daemon.state_dir / name)
        app = PaymentApp()
        card = {"scheme": "UnionPay", "masked": MASKED}
        assert (
            daemon.submit(app.sale("posted", f2=CARD, card=card, uplink="acquirer")).status == 201
        )
        wait_until(lambda: daemon.record("posted").get("state") == "posted", "it is posted")
        receipt = {"content_type": "application/json", "text": json.dumps({"receipt": RECEIPT})}
        taken = daemon.submit(payment("slip", payload=receipt, uplink="paper"))
        assert taken.status == 201, taken.body
        assert daemon.post("/v1/queue/hold", {"key": "slip", "reason": CARD}).status == 422
        (daemon.state_dir / f"dump-{CARD}.txt").write_text(CARD)
        kernel = root / "var/log/dmesg"
        kernel.write_bytes(planted(daemon))
        assert len(seen(kernel.read_bytes())) > 8, "control: the search sees what is planted"
        assert all(
            secret in kernel.read_bytes()
            for what, secret in canaries(daemon).items()
            if what not in ("receipt", "row key, base64")
        )

        made = daemon.post("/v1/bundles", {})
        assert made.status == 200, made.body
        told = made.json
        assert told["removed_cards"] > 8
        assert told["removed_secrets"] > 5
        pieces = [
            daemon.get(f"/v1/bundles/{told['bundle_id']}/{number}").json
            for number in range(told["pieces"])
        ]
        assert pieces[-1]["last"]
        raw = b"".join(base64.b64decode(piece["data"]) for piece in pieces)
        assert hashlib.sha256(raw).hexdigest() == told["sha256"]
        found = clean(daemon, raw)
        assert MARK.encode() + b" too" in found["kernel.log"], "it was read to its end"
        assert b'"slip"' in found["queue.json"]
        assert b"password_file" in found["config.toml"]
        assert found["why.zh.txt"]
        assert found["agent.log"]
        assert not seen(daemon.get("/v1/audit").body)

        done = run(daemon, "bundle", "by-command.tar.gz", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["daemon_alive"]
        clean(daemon, (daemon.home / "by-command.tar.gz").read_bytes())
        daemon.post("/v1/bundles", {})
        assert len(list((daemon.state_dir / "bundles").iterdir())) == 2, "the oldest went"
        assert daemon.get(f"/v1/bundles/{told['bundle_id']}/0").code == "bundle.unknown"

        daemon.kill()
        for name in ("dead.tar.gz", "gone.tar.gz"):
            done = run(daemon, "bundle", name, "--json")
            assert done.returncode == 0, done.stderr
            assert not json.loads(done.stdout)["daemon_alive"]
            found = clean(daemon, (daemon.home / name).read_bytes())
            assert ("queue.json" in found) is (name == "dead.tar.gz")
            assert MARK.encode() in found["kernel.log"]
            (daemon.state_dir / "journal.db").unlink(missing_ok=True)
        failed = {one["name"]: one["reason"] for one in json.loads(done.stdout)["failed"]}
        assert "store.absent" in failed["queue.json"]
        assert run(daemon, "bundle", "gone.tar.gz").returncode == 2, "nothing is written over"


def test_a_bundle_goes_onto_the_stick_that_is_plugged_in(tmp_path: Path) -> None:
    """Found by what the kernel says of the disk; without one it is one sentence and a hint."""
    with Daemon() as daemon:
        root = daemon.home / "root"
        for folder in ("proc", "media/usb0", "sys/block/sdb/sdb1", "sys/block/mmcblk0"):
            (root / folder).mkdir(parents=True)
        (root / "sys/block/sdb/removable").write_text("1\n")
        (root / "sys/block/mmcblk0/removable").write_text("0\n")
        (root / "proc/mounts").write_text("/dev/mmcblk0 /data ext4 rw 0 0\n")
        daemon.configure(f'[system]\nroot = "{root}"\n')
        none = run(daemon, "bundle", "--usb")
        assert none.returncode == 2
        assert b"no USB stick" in none.stderr
        mounts = "/dev/mmcblk0 /data ext4 rw 0 0\n/dev/sdb1 /media/usb0 vfat rw,nosuid 0 0\n"
        (root / "proc/mounts").write_text(mounts)
        done = run(daemon, "bundle", "--usb", "--lang", "zh")
        assert done.returncode == 0, done.stderr
        (file,) = (root / "media/usb0").iterdir()
        assert members(file.read_bytes())
        assert "可以拔出" in done.stdout.decode()
    assert ROOT.exists()
