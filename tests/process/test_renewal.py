"""A certificate is renewed over the real broker: requested, signed, shown, then in force."""

from __future__ import annotations

import ssl
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("cryptography")

import paho.mqtt.publish
from cryptography.x509.oid import ExtendedKeyUsageOID

from agent.core.fleet.commands import Command
from agent.crypt import public_of, sign
from agent.sim.broker import ServerTls
from agent.wire import command as wire
from tests.process.daemon import Daemon, wait_until
from tests.process.fleet import AGENT, DEVICE, TENANT, BrokerThread, Reader, telemetry
from tests.telemetry.renewal.authority import Authority

pytestmark = [pytest.mark.process, pytest.mark.broker]

BOSS = b"b" * 32
KEYS = (
    f'[[fleet_key]]\nid = "boss"\npublic_key = "{public_of(BOSS).hex()}"\nroles = ["administer"]\n'
)


def test_a_renewed_certificate_is_in_force_after_the_broker_took_it(tmp_path: Path) -> None:
    """The request comes back in `res`, its answer in a command; the old pair is replaced after the
    CONNACK to the new one, and the files are whole at every moment."""
    authority = Authority()
    ca = tmp_path / "ca.pem"
    ca.write_text(authority.pem)
    server = authority.pair(tmp_path, "localhost", ExtendedKeyUsageOID.SERVER_AUTH)
    cert, key = authority.pair(tmp_path, DEVICE, ExtendedKeyUsageOID.CLIENT_AUTH)
    old = cert.read_bytes()
    tls = ServerTls(cert_file=str(server[0]), key_file=str(server[1]), client_ca_file=str(ca))
    context = ssl.create_default_context(cafile=str(ca))
    context.load_cert_chain(cert, key)
    files = f'ca_file = "{ca}"\ncert_file = "{cert}"\nkey_file = "{key}"\n'
    with BrokerThread(tls=tls) as broker, Daemon() as daemon:
        daemon.configure(telemetry(broker.url, files) + KEYS, agent=AGENT)
        with Reader(broker.port, host="localhost", tls=context) as reader:
            daemon.start()
            reader.until(lambda: reader.of("state"), "connected")

            def order(cmd_id: str, **args: Any) -> dict[str, Any]:
                now = time.time_ns() // 1_000_000
                command = Command(
                    cmd_id=cmd_id, tenant=TENANT, device_id=DEVICE, op="renew_certificate",
                    args=args, issued_ts=now, expires_ts=now + 600_000, seq=now,
                )  # fmt: skip
                payload = wire.command_bytes(command)
                paho.mqtt.publish.single(
                    f"pos/1/{TENANT}/{DEVICE}/cmd/{cmd_id}",
                    wire.enveloped("boss", sign(BOSS, wire.to_sign(payload)), payload),
                    qos=1, hostname="localhost", port=broker.port,
                    tls={"ca_certs": str(ca), "certfile": str(cert), "keyfile": str(key)},
                )  # fmt: skip
                tail = f"/res/{cmd_id}"

                def over() -> dict[str, Any]:
                    for one in reader.heard:
                        if one.topic.endswith(tail) and one.fields["status"] in ("ok", "failed"):
                            return one.fields
                    return {}

                reader.until(over, f"the end of {cmd_id}")
                return over()

            asked = order("renew-1")
            csr = asked["result"]["csr"]
            assert order("renew-2", certificate=authority.issue(csr, name="x"))["code"] == (
                "another_name"
            )
            assert cert.read_bytes() == old
            made = authority.issue(csr)
            assert order("renew-3", certificate=made)["status"] == "ok"
            wait_until(lambda: cert.read_text() == made, "the new certificate in force")
            wait_until(lambda: "event=certificate_renewed" in daemon.log(), "told")
            assert not list(tmp_path.glob("*.new")) + list(tmp_path.glob("*.pending"))
            days = wait_until(
                lambda: daemon.components()["fleet"]["values"].get("certificate_days"), "days"
            )
            assert days in (88, 89)
