"""What the local API answers when it says no: RFC 9457 problem documents with a stable code.

`CODES` is the one table of every code with its status, title and advice; docs/contracts/api.md is
checked against it. A code is never renamed once released. Details name fields and limits, never
values: the value may be a card number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from agent.core.money.limits import RefusedError
from agent.errors import AgentError, CallerError, InternalError, OperatorError, StoreError
from agent.record import dataclass
from agent.wire.findings import CheckFinding, findings_out

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:posagent:problem:"

Recorded = Literal["no", "unknown"]


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of every answer that is not a success."""

    type: str
    title: str
    status: int
    code: str
    """Stable; decide on this, never on the texts."""
    detail: str
    """What is wrong with this request."""
    field: str | None = None
    """Where in the request, as a dotted path."""
    hint: str | None = None
    """What to do about it."""
    recorded: Recorded | None = None
    """Submitting only. `unknown`: repeat with the same key, never with another one."""
    findings: list[CheckFinding] | None = None
    """A request refused by the check: everything that speaks against it, in both languages."""


@dataclass(frozen=True, slots=True)
class Code:
    """One row of the table."""

    status: int
    title: str
    hint: str = ""


_DRAIN = "Take no more payments that stay unsent until the backlog drains."
_REPEAT = "Repeat the same request with the same key until it is answered 200 or 201."

CODES: Mapping[str, Code] = {
    # The request as such
    "request.not_json": Code(400, "Not JSON", "Send one JSON object in UTF-8."),
    "request.not_object": Code(400, "Not a JSON object", "Send one JSON object."),
    "request.unknown_field": Code(400, "Unknown field", "Remove it; the contract has the list."),
    "request.missing_field": Code(400, "Field missing", "Add it."),
    "request.bad_field": Code(400, "Field not as the contract says"),
    "request.control_character": Code(400, "Control character in a text", "Remove it."),
    "request.media_type": Code(415, "Wrong media type", "Send Content-Type: application/json."),
    "request.body_too_large": Code(413, "Request too large", "Send less at once."),
    "route.unknown": Code(404, "No such address", "See GET /v1/openapi.json."),
    "route.method": Code(405, "Method not allowed here", "See the Allow header."),
    "role.missing": Code(
        403, "Not allowed", "An administrator grants roles in the [api] table of the configuration."
    ),
    # A reading of vendor firmware
    "reading.component": Code(
        403,
        "Not your component",
        "An administrator names who may push it in [[hook]] of the configuration.",
    ),
    "reading.bad": Code(
        422, "State not as the hook contract says", "See firmware_hooks/contract/README.md."
    ),
    # An update of software
    "update.unknown": Code(
        404,
        "No such update offered",
        "What is under way and what the manifest in force offers: posagent update show "
        "(GET /v1/software).",
    ),
    "update.unnamed": Code(
        422, "File of no known update", "Say which component and version it is."
    ),
    "update.known": Code(
        409, "Update begun before", "An update is begun once; its outcome is in GET /v1/software."
    ),
    "update.busy": Code(409, "Another update under way", "Wait for its end."),
    "update.not_now": Code(
        409, "Not in this phase of an update", "Wait for its next phase: GET /v1/software."
    ),
    "update.not_kept": Code(503, "Update not written down", "Free storage on this terminal."),
    # A transaction
    "key.missing": Code(
        400, "No key", "Mint a key before the first attempt, keep it, send it with every repeat."
    ),
    "key.bad": Code(400, "Bad key", "1 to 64 characters of A-Z a-z 0-9 _ and -."),
    "key.retired": Code(422, "Key used long ago", "It is final; do not send it again."),
    "key.mismatch": Code(
        422,
        "Key used for another payment",
        "A key belongs to one payment for ever; mint a new key for a new payment.",
    ),
    "amount.bad": Code(
        400, "Bad amount", "A whole number in the minor unit (fen, cent), 1 to 9007199254740992."
    ),
    "amount.missing": Code(422, "Amount missing for this kind", "Add amount_minor and currency."),
    "amount.forbidden": Code(
        422, "No amount for this kind", "Leave out amount_minor, posted_amount_minor and currency."
    ),
    "currency.bad": Code(400, "Bad currency", "Three capital letters of ISO 4217, such as CNY."),
    "time.bad": Code(
        400, "Bad time", "RFC 3339 with an offset, such as 2026-11-02T14:05:09+08:00."
    ),
    "send_before.forbidden": Code(
        422, "send_before on an advice", "Advices never lapse: leave it out, or send a request."
    ),
    "send_before.bad": Code(422, "send_before not after occurred_at"),
    "attempts.contradiction": Code(
        422,
        "first_attempt_at without attempts",
        "Say how often the app tried; a payment that was tried starts in doubt.",
    ),
    "refers_to.missing": Code(
        422, "refers_to missing for this kind", "Give the key of the payment it is about."
    ),
    "refers_to.self": Code(422, "A payment refers to itself"),
    "covers.forbidden": Code(422, "covers is for batch_upload only", "Leave it out."),
    "uplink.unknown": Code(422, "No such uplink", "Use one that is configured."),
    "payload.missing": Code(
        400, "No payload", "Give content_type and text, or content_type and base64."
    ),
    "payload.ambiguous": Code(400, "Payload given twice", "Give text or base64, not both."),
    "payload.bad_base64": Code(
        400, "Bad base64", "RFC 4648 section 4, padded, without line breaks."
    ),
    "payload.bad_type": Code(400, "Bad content_type", "A media type such as application/json."),
    "payload.charset": Code(
        422, "Text in another charset", "text is sent as UTF-8; give other charsets as base64."
    ),
    "payload.type_mismatch": Code(
        422, "Another content_type", "Query and reversal payloads go out under the payload's type."
    ),
    "payload.too_large": Code(413, "Payload too large", "At most 262144 bytes each."),
    "payload.not_iso8583": Code(
        422, "Not a message of this uplink", "See docs/contracts/iso8583.md and the uplink's keys."
    ),
    "payload.bad_mti": Code(422, "Wrong message type", "See docs/contracts/iso8583.md."),
    "payload.field_missing": Code(422, "Field missing in the message", "Add it."),
    "payload.field_mismatch": Code(
        422, "Message and transaction differ", "Both must say the same payment."
    ),
    "payload.immutable": Code(
        409,
        "The payload cannot be replaced",
        "Only after the host answered A0, 77, 99 or 22: sign on, then replace it.",
    ),
    "reversal.none_prepared": Code(
        409, "No such reversal was handed over", "Submit a reversal of its own (kind reversal)."
    ),
    "reversal.key_taken": Code(
        409, "The reversal key belongs to another payment", "Keys are never used twice."
    ),
    "record.by_app": Code(
        409, "The payment app talks to the host itself", "The app reverses it and reports that."
    ),
    "reversal.contradiction": Code(
        422, "Reversal incomplete", "Give reversal_key and reversal_payloads together."
    ),
    "card.clear_data": Code(
        422,
        "Card data in clear",
        "Send ciphertext or a token, mask numbers as first six and last four, leave out track, "
        "expiry, CVN and PIN. The key stays usable.",
    ),
    "card.bad_mask": Code(
        422, "Card number not masked", "First six and last four digits at most, stars between."
    ),
    "transaction.unknown": Code(404, "No such transaction"),
    "cause.unknown": Code(404, "No such cause", "posagent causes lists them."),
    "inspection.unknown": Code(404, "No such inspection", "posagent inspect makes one."),
    "drill.unknown": Code(404, "No such drill", "posagent drill makes one."),
    "drill.in_doubt": Code(
        409,
        "A payment is under way or in doubt",
        "Drill without --restart, or wait until nothing is in doubt (posagent queue).",
    ),
    "drill.not_here": Code(409, "No drill here", "See the detail."),
    "stats.failed": Code(503, "The statistics could not be computed", "Ask again, or for less."),
    "record.final": Code(409, "The payment is final", "Nothing is sent for it any more."),
    "record.in_doubt": Code(
        409,
        "The host may have this payment",
        "It cannot be withdrawn; cancel it with a void or reversal of its own (refers_to).",
    ),
    "record.sending": Code(409, "The payment is being sent", "Ask again in a moment."),
    "record.held": Code(
        409, "The payment is held", "A technician releases it first: posagent queue release."
    ),
    "record.not_held": Code(409, "The payment is not held"),
    "alarm.not_open": Code(404, "No such alarm is open", "See posagent status for those that are."),
    "record.not_final": Code(
        409, "The payment is not final", "Acknowledge it once it is posted, declined or withdrawn."
    ),
    "payload.destroyed": Code(
        409, "What was handed over is destroyed", "It was acknowledged; hand over a new payment."
    ),
    "record.not_asked": Code(
        409,
        "The host has not been asked, or has not said that it does not have it",
        "Ask it now: posagent queue retry KEY; repeat this when its answer is in the history.",
    ),
    "record.unknown": Code(404, "No such record", "List the queue again."),
    "record.changed": Code(409, "The payment changed meanwhile", "Read it again, then repeat."),
    # The check of a request
    "limit.single": Code(422, "More than one payment may be", "Check the amount."),
    "limit.total": Code(429, "Unsent total at its limit", _DRAIN),
    "limit.count": Code(429, "Unsent payments at their limit", _DRAIN),
    "limit.age": Code(429, "Payments unsent for too long", _DRAIN),
    "duplicate.suspected": Code(
        409, "Looks like another payment", "Ask the cashier; if it is meant, send it `confirmed`."
    ),
    "amount.large": Code(409, "Large amount", "Ask the cashier, then send it `confirmed`."),
    "amount.mistyped": Code(
        409, "Amount looks mistyped", "Ask the cashier, then send it `confirmed`."
    ),
    "refund.too_large": Code(422, "More than was paid", "Check the amount and the original."),
    "amount.unusual": Code(
        409, "Amount far from usual", "Ask the cashier, then send it `confirmed`."
    ),
    "fraud.declines": Code(409, "Many declines before", "Look first, then send it `confirmed`."),
    "fraud.refunds": Code(409, "Many refunds", "Look first, then send it `confirmed`."),
    "fraud.split": Code(409, "Looks like one payment split", "Look first, then `confirmed`."),
    "date.future": Code(422, "Its time is in the future", "Set the terminal's clock."),
    "date.past": Code(422, "Its time is long past", "Set the terminal's clock."),
    "terminal.mismatch": Code(422, "Another TID was issued", "Correct it; see [check]."),
    "merchant.mismatch": Code(422, "Another MID was issued", "Correct it; see [check]."),
    "currency.not_taken": Code(422, "Currency not taken here", "See [check] currencies."),
    "kind.not_taken": Code(422, "Kind not done here", "See [check] kinds."),
    # Reports of the payment app
    "stage.bad": Code(422, "Report does not make sense"),
    "stage.mismatch": Code(
        422, "Another report under the same number", "Count on: each report has its own n."
    ),
    "stage.too_many": Code(422, "Too many reports of one payment", "At most 100."),
    "record.by_agent": Code(
        409, "The agent sends this payment", "Its stages are in its history; nothing to report."
    ),
    # Backups
    "backup.bad_recipient": Code(422, "No such recovery key", "Copy it whole: posr1-…"),
    "backup.no_key": Code(422, "Nothing to seal it with", "Give a recovery key."),
    "backup.unknown": Code(404, "No such backup under way", "Begin it again."),
    # Support bundles
    "bundle.failed": Code(
        500, "The bundle could not be made", "Make it at the terminal: posagent bundle."
    ),
    "bundle.unknown": Code(404, "No such bundle is kept", "Make a new one."),
    # Slips
    "slip.unknown_kind": Code(404, "No such kind of slip", "posagent slip list names them."),
    "slip.key": Code(
        422, "Not what this slip is about", "posagent slip list says what each slip is about."
    ),
    "slip.nothing": Code(404, "Nothing to put on this slip", "See the detail."),
    "slip.failed": Code(
        503, "The slip could not be made", "Ask for it as text; that needs no program of its own."
    ),
    "slip.off": Code(409, "Slips are not printed here", "Set [printer] print to driver or hook."),
    "slip.paying": Code(409, "Somebody is paying", "Print again when the payment is done."),
    "slip.not_ready": Code(409, "The printer is not ready", "See the detail; nothing was sent."),
    "slip.owned": Code(
        409, "The printer is another program's", 'Set [printer] print = "hook" and install one.'
    ),
    "slip.not_printed": Code(
        502, "The slip was not printed in full", "Look at the paper before printing again."
    ),
    # The agent itself
    "store.full": Code(507, "Store full: not recorded", "Stop taking offline payments."),
    "store.unavailable": Code(503, "Store unavailable: not recorded", _REPEAT),
    "store.unknown": Code(503, "Outcome unknown: recorded or not", _REPEAT),
    "store.capped": Code(507, "Journal at its cap: not recorded", _DRAIN),
    "store.handed_over": Code(
        409, "Handed over to another terminal", "Take payments at the terminal that goes on."
    ),
    "store.busy": Code(503, "Store busy: not recorded", _REPEAT),
    "keys.off": Code(409, "Payloads are not sealed here", "Set seal = true in [store]."),
    "keys.vendor": Code(409, "The firmware owns the keys", "Make and rotate them there."),
    "salvage.unknown": Code(404, "No such journal was put aside", "See quarantine/ in state_dir."),
    "salvage.unreadable": Code(
        409, "Nothing in it can be proved", "Keep the file; compare with the host's list."
    ),
    # The page
    "page.host": Code(403, "Wrong host name", "Open the address the terminal shows."),
    "page.origin": Code(403, "Foreign origin", "Only the page itself may ask here."),
    "page.off": Code(409, "The page is not served here", "Set listen in [page]."),
    "page.no_service": Code(
        409, "No service listener here", "Set service_interface or service_address in [page]."
    ),
    "page.open_already": Code(
        409, "Open already", "It closes by itself; posagent page close ends it before."
    ),
    "page.no_address": Code(
        409, "No private address to listen at", "Plug in the cable, or set service_address."
    ),
    "page.no_certificate": Code(
        409,
        "No certificate could be made",
        "Install posagent[provision], or set service_tls = false where nobody hears the line.",
    ),
    "session.none": Code(401, "Not signed in", "Sign in with a code: posagent page."),
    "session.stale": Code(401, "Session over", "Sign in again."),
    "session.code": Code(401, "Wrong code", "Look at the 8 digits again."),
    "session.no_code": Code(401, "No code counts now", "Get a new one: posagent page."),
    "session.locked": Code(429, "Too many tries", "Wait as many seconds as Retry-After says."),
    "session.not_here": Code(409, "No sessions here", "Sessions are for the page only."),
    # Settlement lists
    "reconcile.profile": Code(
        409, "No such profile", "Name one of the [[reconcile]] tables: --profile NAME."
    ),
    "reconcile.busy": Code(409, "Another list is being read", "Wait until it is done."),
    "reconcile.too_large": Code(
        413, "List too large", "Split it by days, or raise max_mb of its [[reconcile]]."
    ),
    "reconcile.no_pull": Code(
        409, "Nothing to fetch it from", "Set pull in its [[reconcile]], or bring the file."
    ),
    "reconcile.pull": Code(
        502, "The list was not fetched", "Ask the bank, or bring the file: posagent reconcile FILE."
    ),
    "reconcile.unknown": Code(404, "No such list", "posagent reconcile list shows them."),
    "reconcile.piece": Code(409, "Piece out of order", "Send the pieces in order, from 0."),
    "reconcile.refused": Code(422, "List refused", "Correct the file or its [[reconcile]] table."),
    "events.too_many": Code(503, "Too many event streams", "Close one."),
    "daemon.down": Code(503, "The agent is not running", "Start it: systemctl start posagent."),
    "internal": Code(500, "A fault in the agent", "Repeat with the same key; report the log."),
}


class RequestError(CallerError):
    """A request refused, with the field that is to blame."""

    field: str

    def __init__(self, code: str, what: str, *, field: str = "", hint: str = "") -> None:
        super().__init__(code, what, hint or CODES[code].hint)
        self.field = field


def problem(error: AgentError, *, submitting: bool = False) -> Problem:
    """The document for an error. Unknown codes keep their code under the status of their type."""
    row = CODES.get(error.code) or _by_type(error)
    recorded: Recorded | None = None
    if submitting:
        recorded = "unknown" if error.code in ("store.unknown", "internal") else "no"
    return Problem(
        type=TYPE_PREFIX + error.code,
        title=row.title,
        status=row.status,
        code=error.code,
        detail=error.what,
        field=getattr(error, "field", "") or None,
        hint=error.hint or row.hint or None,
        recorded=recorded,
        findings=findings_out(error.findings) if isinstance(error, RefusedError) else None,
    )


def reworded(document: Problem, title: str, detail: str, hint: str) -> Problem:
    """The same in other words, for a person who reads another language."""
    return msgspec.structs.replace(document, title=title, detail=detail, hint=hint or None)


def _by_type(error: AgentError) -> Code:
    match error:
        case CallerError():
            return Code(422, "Request refused")
        case OperatorError():
            return Code(409, "Not possible as configured")
        case StoreError():
            return Code(503, "Store unavailable", _REPEAT)
        case InternalError():
            return CODES["internal"]
        case _:
            return Code(502, "Something outside the agent failed")


def encode(document: Problem) -> bytes:
    """JSON bytes of a problem."""
    return msgspec.json.encode(document)
