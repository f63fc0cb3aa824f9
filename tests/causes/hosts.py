"""Scenes of the other side: what a host, an acquirer, a wallet's platform answers or does not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from agent.sim.acquirer import AcquirerThread
from agent.sim.acquirer_faults import Fault as AcquirerFault
from agent.sim.host import HostThread
from agent.sim.host_faults import Fault
from agent.sim.terminal import PaymentApp
from tests.causes.bench import Bench, terminal
from tests.process.daemon import Daemon, payment, wait_until

#: Field 39 of the acquirer's answer to a sale, and what `why` about that sale says.
ANSWERS: dict[str, str] = {
    "05": "host.rejected",
    "91": "issuer.unavailable",
    "40": "account.cardholder_restricted",
    "54": "card.expired",
    "51": "card.insufficient_funds",
    "61": "card.limit_exceeded",
    "55": "card.pin_error",
    "41": "card.restricted_or_reported",
    "13": "config.invalid_parameter",
    "03": "config.merchant_mismatch",
    "97": "config.device_unregistered",
    "A0": "config.not_signed_on",
    "58": "config.permission_denied",
    "30": "host.format_error",
    "96": "host.down",
    "95": "settlement.batch_not_closed",
    "94": "duplicate.suspected",
}
#: A host's misbehaviour -> what `why` about the terminal says.
FAULTS: dict[str, str] = {
    "error_500": "host.down",
    "error_503": "host.maintenance",
    "busy": "host.busy",
    "unauthorised": "config.credential_expired",
    "forbidden": "config.permission_denied",
}
#: What a wallet's platform answers to a payment by code.
WALLET: dict[str, str] = {
    "AUTHCODEEXPIRE": "wallet.code_expired",
    "SYSTEMERROR": "platform.outage",
    "ACQ.SELLER_BEEN_BLOCKED": "account.merchant_restricted",
    "PAYEE_CARD_INFO_ERROR": "config.settlement_account",
}
QUICK: dict[str, object] = {
    "backoff_base_s": 0.1, "backoff_cap_s": 0.5, "host_in_flight_s": 1, "answer_timeout_s": 1.0,
    "connect_timeout_s": 2.0, "pause_s": 1.0,
}  # fmt: skip


def later(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def answers(bench: Bench) -> None:
    """Field 39 through the real uplink, one sale each."""
    with (
        AcquirerThread() as host,
        terminal(host.acquirer.profile(**QUICK)) as daemon,
    ):
        app = PaymentApp()
        for code, cause in ANSWERS.items():
            host.apply(AcquirerFault.named("code", code=code, only="payment", times=1))
            key = f"sale-{code}"
            assert daemon.submit(app.sale(key)).status == 201
            bench.proved(daemon, cause, f"acquirer answers 39 = {code} to a sale", key=key)
            host.apply(AcquirerFault())


def reversals(bench: Bench) -> None:
    """A sale without an answer is taken back; the reversal waits, then is accepted."""
    with (
        AcquirerThread() as host,
        terminal(host.acquirer.profile(**QUICK, on_unknown="reverse")) as daemon,
    ):
        app = PaymentApp()
        host.apply(AcquirerFault.named("black_hole_after"))
        assert daemon.submit(app.sale("sale-1", 1250, send_before=later(2))).status == 201
        bench.proved(
            daemon,
            "reversal.pending",
            "acquirer answers neither a sale nor its reversal",
            key="sale-1",
        )
        host.apply(AcquirerFault())
        bench.proved(
            daemon, "reversal.completed", "acquirer accepts the reversal at last", key="sale-1"
        )


def faults(bench: Bench) -> None:
    """The reference host misbehaves; the channel says how."""
    with HostThread() as host, terminal(url=host.host.url, uplink="pause_s = 1") as daemon:
        for number, (name, cause) in enumerate(FAULTS.items()):
            host.apply(Fault.named(name))
            assert daemon.submit(payment(f"k-{number}")).status == 201
            bench.proved(daemon, cause, f"host: {name}", undo=_mend(host))
            daemon.wait_drained()
        host.apply(Fault.named("black_hole_after"))
        assert daemon.submit(payment("k-doubt")).status == 201
        bench.proved(
            daemon,
            "host.no_reply",
            "host posts and never answers",
            key="k-doubt",
            patience_s=45,
            undo=_mend(host),
        )
        host.apply(Fault.named("bad_request"))
        assert daemon.submit(payment("k-format")).status == 201
        bench.proved(daemon, "host.format_error", "host answers 400", key="k-format")
        held = [daemon.post("/v1/queue/hold", {"key": "k-format", "reason": "looked at"})]
        bench.proved(daemon, "queue.held", f"technician holds it ({held[0].status})")


def _mend(host: HostThread) -> Callable[[], None]:
    return lambda: host.apply(Fault())


def requests(bench: Bench) -> None:
    """What is never sent: a request whose time is over, a terminal whose limit is reached."""
    with HostThread() as host:
        host.apply(Fault.named("refuse"))
        limits = '[[limit]]\ncurrency = "CNY"\ncount = 2\n'
        with terminal(limits, url=host.host.url) as daemon:
            lapsing = payment("k-lapse", posting="request", send_before=later(1.5))
            assert daemon.submit(lapsing).status == 201
            bench.proved(
                daemon, "request.lapsed", "host away until send_before is past", key="k-lapse"
            )
            for number in range(2):
                daemon.submit(payment(f"k-{number}"))
            bench.proved(daemon, "queue.limit_reached", "two unsent payments, limit two")


def wallet(bench: Bench) -> None:
    """A payment by code: the customer confirms, or not; the platform's own troubles."""
    with HostThread() as host, terminal(url=host.host.url, uplink='qr = "wechat"') as daemon:
        host.apply(Fault.named("in_progress", tries=1_000))
        assert daemon.submit(_scanned("q-wait")).status == 201
        bench.proved(
            daemon, "wallet.awaiting_customer", "platform: customer still confirms", key="q-wait"
        )
        for code, cause in WALLET.items():
            host.apply(Fault.named("decline", code=code))
            key = f"q-{code.lower().replace('.', '-')}"
            assert daemon.submit(_scanned(key)).status == 201
            bench.proved(daemon, cause, f"platform declines with {code}", key=key)


def _scanned(key: str) -> dict[str, Any]:
    return payment(key, kind="qr_sale", posting="request", send_before=later(600))


def by_app(bench: Bench) -> None:
    """Payments the app sends itself, as far as it tells."""
    with terminal() as daemon:
        assert daemon.submit(payment("a-1", delivery="app", batch="000007")).status == 201
        stage = {"n": 1, "stage": "captured", "at": later(-60)}
        told = daemon.post("/v1/transactions/a-1/stages", {"stages": [stage]})
        assert told.status == 200, told.body
        bench.proved(
            daemon, "operator.not_completed", "app reports its first stage only", key="a-1"
        )


def not_set_up(bench: Bench) -> None:
    """A terminal nobody gave an uplink."""
    with Daemon() as daemon:
        daemon.configure("[connectivity]\nperiod_s = 3600\n")
        daemon.start()
        daemon.submit(payment("k-1"))
        wait_until(lambda: daemon.unsent() == 1, "stored")
        bench.proved(daemon, "config.not_activated", "no [[uplink]] configured", key="k-1")


SCENES = (answers, faults, reversals, requests, wallet, by_app, not_set_up)
