"""The configuration: what can be set, its bounds and its defaults.

Every default works on an unconfigured machine. Sections are frozen records, read once when a part
is built; loading, checking and the sentences an installer sees when something is wrong are in
`agent.settings`. Units are in the names.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field, structs

from agent.config.adapter import Adapter
from agent.config.android import Android
from agent.config.bundle import Bundle
from agent.config.channels import Channel, Channels
from agent.config.devices import Discovery, Inventory, Keypad, Printer, Scanner
from agent.config.drill import Drill
from agent.config.fleet import Fleet, FleetKey
from agent.config.hooks import HookComponent, Hooks
from agent.config.inspection import Inspection
from agent.config.network import Connectivity
from agent.config.page import Page
from agent.config.radio import Cellular, Signal
from agent.config.reconcile import Reconcile
from agent.config.section import Directory, Identifier, Seconds, Section
from agent.config.software import Component, Software
from agent.config.stats import Stats
from agent.config.system import Aging, Clock, System
from agent.config.telemetry import Telemetry
from agent.config.terminal import Configuration, PaymentApp, SettingsFile
from agent.core.money.iso8583_fields import NOTATION


class Agent(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[agent]: who this terminal is and where it keeps things."""

    device_id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{0,64}$")] = ""
    """Fixed for the hardware; empty: derived from /etc/machine-id."""
    tenant: Identifier = "default"
    site: Annotated[str, Meta(max_length=64)] = ""
    language: Literal["auto", "zh", "en"] = "auto"
    state_dir: Directory = "/var/lib/posagent"
    run_dir: Directory = "/run/posagent"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    watchdog_s: Annotated[int, Meta(ge=0, le=3_600)] = 0
    """Where no service manager watches: the kernel ends a daemon that has not moved for so long,
    15 s at least. 0: nobody does."""


class Api(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[api]: the unix socket and who may do what on it.

    Entries are user names, numeric uids, or groups as `@name`. root and the agent's own user
    always hold every role; members of the agent's own group may submit, read and report.
    """

    submit: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    report: tuple[str, ...] = ()
    technician: tuple[str, ...] = ()
    max_connections: Annotated[int, Meta(ge=8, le=256)] = 64
    reserved_for_submit: Annotated[int, Meta(ge=1, le=64)] = 16
    head_timeout_s: Seconds = 5.0
    body_timeout_s: Seconds = 10.0
    handler_timeout_s: Seconds = 30.0
    idle_timeout_s: Seconds = 75.0


class QrWindows(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`qr` of an uplink as a table: the times of a platform not known by name. 0: no such limit."""

    query_s: Annotated[float, Meta(ge=1, le=60)] = 5.0
    confirm_s: Annotated[int, Meta(ge=5, le=3_600)] = 60
    closes_s: Annotated[int, Meta(ge=5, le=86_400)] = 180
    cancel_after_s: Annotated[int, Meta(ge=0, le=3_600)] = 0
    cancel_within_s: Annotated[int, Meta(ge=0, le=31_536_000)] = 0
    cancel_same_day: bool = False
    """Only on the day of the payment in UTC+8, and `cancel_grace_s` into the next."""
    cancel_grace_s: Annotated[int, Meta(ge=0, le=86_400)] = 0
    refund_within_s: Annotated[int, Meta(ge=0, le=315_360_000)] = 0


class UplinkBase(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every [[uplink]] has, whatever it speaks."""

    name: Identifier
    enabled: bool = True
    """Kill switch: false records and explains, and sends nothing."""
    shadow: bool = False
    """Pilot mode: as `enabled = false`, but without the alarm."""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    connect_timeout_s: Seconds = 15.0
    backoff_base_s: Seconds = 2.0
    backoff_cap_s: Seconds = 300.0
    pause_s: Seconds = 300.0
    """How long the channel rests after 401, 403 or a redirect before one record tries again."""
    key_window_s: Annotated[int, Meta(ge=60, le=31_536_000)] = 86_400
    """How long the host remembers a payment; resending stops at 80 % of it."""
    host_in_flight_s: Annotated[int, Meta(ge=1, le=3_600)] = 60
    """How long the host may still be working on a post it has not answered."""


class Uplink(
    UplinkBase,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="type",
    tag="https",
):
    """[[uplink]] type = "https" (the default): one way to one host that keeps the contract."""

    url: Annotated[str, Meta(pattern=r"^https?://", max_length=500)]
    """Where payments are posted; status is asked at `url/{key}`. http only to loopback."""
    in_flight: Annotated[int, Meta(ge=1, le=32)] = 4
    order: Literal["payment", "terminal"] = "payment"
    answer_timeout_s: Seconds = 30.0
    keep_alive_s: Seconds = 55.0
    status_query: bool = True
    """Whether the host answers `GET url/{key}` as the receiver contract says."""
    on_unknown: Literal["query", "resend", "hold"] = "query"
    qr: Literal["wechat", "alipay"] | QrWindows | None = None
    """Which platform's times payments by code keep; a table: times of one's own."""
    outcomes: dict[
        Annotated[str, Meta(pattern=r"^[1-5][0-9][0-9]$")],
        Literal["declined", "rejected", "busy", "error", "in_progress", "mismatch", "unauthorised"],
    ] = field(default_factory=dict)
    """HTTP status -> what it means at this host, where it differs from the receiver contract."""


FieldNumber = Annotated[str, Meta(pattern=r"^([2-9]|[1-9][0-9]|1[01][0-9]|12[0-8])$")]
ResponseCode = Annotated[str, Meta(pattern=r"^[0-9A-Z]{2}$")]


class Iso8583Uplink(
    UplinkBase,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="type",
    tag="iso8583",
):
    """[[uplink]] type = "iso8583": one way to one acquirer that speaks ISO 8583."""

    host: Annotated[str, Meta(min_length=1, max_length=253)]
    port: Annotated[int, Meta(ge=1, le=65_535)]
    tls: bool = True
    in_flight: Annotated[int, Meta(ge=1, le=32)] = 1
    """Terminals on their way at once; one terminal never has two."""
    order: Literal["payment", "terminal"] = "terminal"
    answer_timeout_s: Seconds = 60.0
    idle_s: Seconds = 55.0
    """How long an idle connection is used again."""
    length: Literal["binary", "bcd", "ascii"] = "binary"
    tpdu: Annotated[str, Meta(pattern=r"^([0-9A-Fa-f]{10})?$")] = ""
    tpdu_check: Literal["swapped", "same", "any"] = "swapped"
    header: Annotated[str, Meta(pattern=r"^([0-9A-Fa-f]{2}){0,32}$")] = ""
    payload_begins: Literal["mti", "header", "tpdu"] = "mti"
    """Where the app's bytes begin; the agent puts what is missing before them."""
    dialect: Literal["bcd", "ascii", "hex"] = "bcd"
    fields: dict[FieldNumber, Annotated[str, Meta(pattern=NOTATION)]] = field(default_factory=dict)
    """Field -> notation (n6, n..19, ans...999, b64) where this host differs from UnionPay."""
    bound: Annotated[
        tuple[Literal["3", "11", "37", "41", "42"], ...], Meta(min_length=1, max_length=5)
    ] = ("11", "41", "42")
    protected_fields: tuple[Literal["2", "14", "35", "36", "45", "52", "55"], ...] = ()
    """Card data fields the payment app hands over encrypted or tokenised; all others refused."""
    codes: dict[
        ResponseCode,
        Literal[
            "approved", "partial", "defective", "refused", "no_original", "working", "open",
            "issuer", "host", "keys", "format", "enrolment", "batch", "unknown",
        ],
    ] = field(default_factory=dict)  # fmt: skip
    """Field 39 -> what it means at this host, laid over UnionPay's table."""
    query_codes: dict[
        ResponseCode, Literal["posted", "declined", "not_found", "in_progress", "unsettled"]
    ] = field(default_factory=dict)
    """Field 39 of an answer to a query message -> what became of the payment."""
    repeat: Literal["never", "advices"] = "never"
    """Whether repeats of advices and reversals are marked in the message type (xxx1)."""
    on_unknown: Literal["query", "resend", "reverse", "hold"] = "query"
    batch_wait_s: Annotated[float, Meta(ge=0, le=604_800)] = 3_600.0
    """How long a batch upload waits for what it covers before a person must choose."""
    echo: Literal["none", "app", "own_tid"] = "none"
    echo_period_s: Seconds = 60.0
    echo_terminal_id: Annotated[str, Meta(pattern=r"^[!-~]{0,8}$")] = ""
    echo_merchant_id: Annotated[str, Meta(pattern=r"^[!-~]{0,15}$")] = ""
    echo_message: Annotated[str, Meta(pattern=r"^([0-9A-Fa-f]{2}){0,512}$")] = ""
    """The payment app's own echo message from the message type on, in hexadecimal."""


AnyUplink = Uplink | Iso8583Uplink


Policy = Literal["refuse", "hold", "flag"]
Minor = Annotated[int, Meta(ge=1, le=9_007_199_254_740_992)]


class Check(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[check]: what a payment is held against before it is taken.

    `POST /v1/check` tells what was found. Submitted all the same, an advice is taken and flagged;
    a request meets `on_…`.
    """

    duplicate_window_s: Annotated[int, Meta(ge=0, le=86_400)] = 60
    """Same terminal, kind, amount and card within this; 0: not looked for."""
    trace_window_s: Annotated[int, Meta(ge=0, le=604_800)] = 86_400
    """Same terminal, kind, amount, STAN and batch within this; 0: not looked for."""
    future_s: Annotated[int, Meta(ge=0, le=31_536_000)] = 300
    """How far ahead of this terminal's clock a payment may be; 0: any."""
    past_s: Annotated[int, Meta(ge=0, le=31_536_000)] = 86_400
    """How far behind it a request may be; 0: any. Advices may be as old as they are."""
    terminal_ids: tuple[Annotated[str, Meta(pattern=r"^[!-~]{1,16}$")], ...] = ()
    """TIDs issued to this terminal; empty: any."""
    merchant_ids: tuple[Annotated[str, Meta(pattern=r"^[!-~]{1,32}$")], ...] = ()
    """MIDs issued to it; empty: any."""
    currencies: tuple[Annotated[str, Meta(pattern=r"^[A-Z]{3}$")], ...] = ()
    """Taken here; empty: any."""
    kinds: tuple[
        Literal[
            "sale", "refund", "void", "preauth", "preauth_completion", "preauth_void",
            "preauth_completion_void", "adjustment", "qr_sale", "qr_cancel", "qr_refund",
        ],
        ...,
    ] = ()  # fmt: skip
    """Done here besides reversals, batch uploads and settlements; empty: all."""
    again_window_s: Annotated[int, Meta(ge=0, le=86_400)] = 900
    """How long ago an open payment may be the one that is tried again; 0: not looked for."""
    habit_payments: Annotated[int, Meta(ge=0, le=4_000)] = 50
    """Earlier payments a habit must rest on before an amount looks unusual; 0: never."""
    habit_rare_permille: Annotated[int, Meta(ge=0, le=100)] = 5
    """So large an amount is unusual if fewer were as large."""
    declines: Annotated[int, Meta(ge=0, le=100)] = 5
    """So many declined payments before another one look suspicious; 0: never."""
    declines_window_s: Annotated[int, Meta(ge=1, le=86_400)] = 600
    refunds: Annotated[int, Meta(ge=0, le=100)] = 5
    """So many refunds and voids; 0: never."""
    refunds_window_s: Annotated[int, Meta(ge=1, le=86_400)] = 3_600
    splits: Annotated[int, Meta(ge=0, le=100)] = 3
    """So many payments of one card that together pass the limit of one; 0: never."""
    splits_window_s: Annotated[int, Meta(ge=1, le=86_400)] = 3_600
    fast_ms: Annotated[int, Meta(ge=0, le=60_000)] = 1_500
    """Entered and confirmed faster than this (the app reports it) is keyed too fast; 0: any."""
    on_limit: Policy = "refuse"
    on_duplicate: Policy = "hold"
    on_amount: Policy = "flag"
    on_parameter: Policy = "refuse"
    on_suspicion: Policy = "flag"


class Limit(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[[limit]]: how much may be taken, and how much may be unsent, in one currency."""

    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$")]
    posting: Literal["any", "request", "advice"] = "any"
    """Which payments it binds; advices are those the terminal approves itself."""
    single_minor: Minor | None = None
    """Largest single amount, in the minor unit (fen, cent)."""
    confirm_minor: Minor | None = None
    """From this amount on the cashier is asked to look again."""
    total_minor: Minor | None = None
    """Largest sum unsent."""
    count: Annotated[int, Meta(ge=1, le=10_000_000)] | None = None
    """Most payments unsent."""
    age_s: Annotated[int, Meta(ge=60, le=31_536_000)] | None = None
    """Oldest age of an unsent payment at which new ones are still taken."""
    warn_percent: Annotated[int, Meta(ge=1, le=100)] = 80


class App(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[app]: the payment app, where it sends payments itself and reports their stages."""

    answer_timeout_s: Annotated[int, Meta(ge=5, le=86_400)] = 120
    """After `sent`: no answer reported within this is no answer, and the payment is in doubt."""
    silence_s: Annotated[int, Meta(ge=0, le=604_800)] = 900
    """After the hand-over: nothing reported within this is doubt; 0: never."""
    batch_open_max_s: Annotated[int, Meta(ge=0, le=31_536_000)] = 108_000
    """A batch open for longer is an alarm; 0: never."""


class Storage(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[store]: how large the journal may become and how long it remembers."""

    reserve_kb: Annotated[int, Meta(ge=64, le=65_536)] = 1_024
    """Kept free for answers to payments under way when the storage is full."""
    max_unsent: Annotated[int, Meta(ge=100, le=10_000_000)] = 2_000_000
    """Unsent payments at which new requests are refused."""
    max_mb: Annotated[int, Meta(ge=16, le=1_048_576)] = 4_096
    """Size of the journal at which new requests are refused."""
    retention_days: Annotated[int, Meta(ge=1, le=3_650)] = 180
    """How long a final payment is kept after its proof; its key is remembered for ever."""
    prune_per_day: Annotated[int, Meta(ge=100, le=1_000_000)] = 5_000
    """Most payments forgotten in a day."""
    seal: bool = True
    """Whether payloads are sealed as they are stored."""
    key_file: Annotated[str, Meta(max_length=200)] = ""
    """The key ring; empty: `payload.keys` in `state_dir`."""
    verify_period_s: Annotated[int, Meta(ge=0, le=31_536_000)] = 86_400
    """Everything stored is checked once in this time; 0: only when asked."""


class Delay(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[health.CODE]: how long a condition lasts before it shows, and before it is cleared."""

    visible_after_s: Annotated[float, Meta(ge=0, le=86_400)] | None = None
    clear_after_s: Annotated[float, Meta(ge=0, le=86_400)] | None = None
    enabled: bool = True


class Config(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    agent: Agent = field(default_factory=Agent)
    api: Api = field(default_factory=Api)
    uplink: tuple[AnyUplink, ...] = ()
    check: Check = field(default_factory=Check)
    limit: tuple[Limit, ...] = ()
    app: App = field(default_factory=App)
    payment_app: PaymentApp = field(default_factory=PaymentApp)
    store: Storage = field(default_factory=Storage)
    telemetry: Telemetry = field(default_factory=Telemetry)
    adapter: Adapter = field(default_factory=Adapter)
    fleet: Fleet = field(default_factory=Fleet)
    fleet_key: tuple[FleetKey, ...] = ()
    printer: Printer = field(default_factory=Printer)
    discovery: Discovery = field(default_factory=Discovery)
    inventory: Inventory = field(default_factory=Inventory)
    scanner: Scanner = field(default_factory=Scanner)
    keypad: Keypad = field(default_factory=Keypad)
    channel: tuple[Channel, ...] = ()
    channels: Channels = field(default_factory=Channels)
    connectivity: Connectivity = field(default_factory=Connectivity)
    signal: Signal = field(default_factory=Signal)
    cellular: Cellular = field(default_factory=Cellular)
    system: System = field(default_factory=System)
    clock: Clock = field(default_factory=Clock)
    aging: tuple[Aging, ...] = ()
    software: Software = field(default_factory=Software)
    component: tuple[Component, ...] = ()
    configuration: Configuration = field(default_factory=Configuration)
    settings_file: tuple[SettingsFile, ...] = ()
    hooks: Hooks = field(default_factory=Hooks)
    hook: tuple[HookComponent, ...] = ()
    android: Android = field(default_factory=Android)
    inspection: Inspection = field(default_factory=Inspection)
    drill: Drill = field(default_factory=Drill)
    stats: Stats = field(default_factory=Stats)
    page: Page = field(default_factory=Page)
    bundle: Bundle = field(default_factory=Bundle)
    reconcile: tuple[Reconcile, ...] = ()
    health: dict[str, Delay] = field(default_factory=dict)


def looked_at_once(config: Config) -> Config:
    """For one look by a person: what is absent is absent, and nothing is restarted for it."""
    app = structs.replace(config.payment_app, start_grace_s=0.0, restart=())
    return structs.replace(config, payment_app=app)
