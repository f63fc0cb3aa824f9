"""How old things are and when they are too late, on clocks that may be wrong.

Within one boot everything is counted on the boot clock, so that setting the wall clock to 1970 or
2036 neither kills nor revives anything; across a reboot the wall clock counts if it is trusted, and
otherwise the answer is "nobody can tell". Called by `delivery`, the lapser and the store.
"""

from __future__ import annotations

from agent.core.moment import ANY_BOOT, SLACK_MS, Moment, Stamp, at_least_ms, at_most_ms, to_ms
from agent.core.money.journal import Change, Event, Record, State
from agent.core.money.transaction import Delivery, Kind

#: Cause of a batch upload whose covered payments were not all sent by the cut-off.
CUT_OFF = "settlement.batch_not_closed"
#: No terminal keeps a payment for longer; receivers keep keys for at least this long.
LOST_AFTER_MS = 180 * 86_400_000
#: Part of the host's key window in which a blind resend is still allowed (U16).
WINDOW_SHARE = 0.8


def due_in_ms(record: Record, now: Moment, boot_no: int) -> int:
    """Milliseconds until the record's own back-off ends. Another boot's back-off is over."""
    if record.boot_no != boot_no:
        return 0
    return max(0, record.next_boot_ms - now.boot_ms)


def expired(record: Record, now: Moment, boot_no: int) -> bool | None:
    """Whether a request's `send_before` has passed; None when this terminal cannot tell.

    Within the boot that took the request over, the time left is counted on the boot clock, so
    that setting the wall clock to 1970 or 2036 neither kills nor revives anything. After a reboot
    what this boot alone has lasted is certain; the wall clock counts while it is trusted, unless
    the request was stored by a clock that has been set back since. A clock that may have stood
    still while the power was off is behind at most: it can say "too late", never "in time".
    """
    send_before = record.transaction.send_before
    if send_before is None:
        return False
    stored = record.stored
    left_ms = to_ms(send_before) - stored.wall_ms
    if stored.boot_no == boot_no:
        return now.boot_ms - stored.boot_ms > left_ms
    if now.boot_ms > left_ms:
        return True
    if not now.trusted or stored.wall_ms > now.wall_ms + SLACK_MS:
        return None
    if now.wall_ms > to_ms(send_before):
        return True
    return False if now.carried else None


def lapses_in_ms(record: Record, now: Moment, boot_no: int) -> int | None:
    """Milliseconds until an unsent request lapses; 0 = now, None = it does not (or not yet known).

    After a reboot the limit is on the wall clock, and while that is not trusted nobody can tell;
    one that may have stood still passes the limit too late at worst.
    """
    send_before = record.transaction.send_before
    movable = record.state in (State.QUEUED, State.WAITING) and not record.in_doubt
    if send_before is None or not movable or record.transaction.delivery is Delivery.APP:
        return None
    late = expired(record, now, boot_no)
    if late:
        return 0
    if late is None and (now.carried or not now.trusted):
        return None
    if record.stored.boot_no == boot_no:
        left_ms = to_ms(send_before) - record.stored.wall_ms
        return left_ms - (now.boot_ms - record.stored.boot_ms) + 1
    # By the clock of the day, or because this boot alone has lasted that long.
    left_ms = to_ms(send_before) - record.stored.wall_ms
    return min(to_ms(send_before) - now.wall_ms, left_ms - now.boot_ms) + 1


def lapse() -> Change:
    """The change that ends a request nobody sent in time."""
    return Change(
        event=Event.LAPSE,
        cause="request.lapsed",
        note="not sent before its time limit; nothing was charged",
    )


def key_age_ms(record: Record, now: Moment, boot_no: int) -> int | None:
    """Age of the oldest attempt the host may have seen; 0 without one, None when unknown.

    A record in doubt that neither we nor the app are known to have sent may have been sent by a
    journal that was lost, at the earliest when the payment took place; an age nobody can tell, or
    an absurd one (clocks that disagree by years), is no sign of that.
    """
    t = record.transaction
    ages: list[int | None] = []
    if record.first_sent is not None:
        ages.append(at_most_ms(record.first_sent, now, boot_no))
    since = t.first_attempt_at or t.occurred_at
    since_ms = at_most_ms(Stamp(to_ms(since), 0, ANY_BOOT), now, boot_no)
    if t.attempts or t.first_attempt_at is not None:
        ages.append(since_ms)
    elif record.in_doubt and record.first_sent is None:
        ages.append(since_ms if since_ms is not None and since_ms <= LOST_AFTER_MS else 0)
    if None in ages:
        return None
    return max((age for age in ages if age is not None), default=0)


def forgotten(record: Record, key_window_s: int, now: Moment, boot_no: int) -> bool:
    """U16: whether the host may have forgotten the key, so that neither sending it again nor its
    "not found" proves anything."""
    age_ms = key_age_ms(record, now, boot_no)
    return age_ms is None or age_ms > key_window_s * 1000 * WINDOW_SHARE


def cut_off_in_ms(record: Record, wait_s: float, now: Moment, boot_no: int) -> int | None:
    """How long a batch upload still waits for what it covers; None: it is none, or not waiting."""
    t = record.transaction
    waits = record.state in (State.QUEUED, State.WAITING) and not record.sent
    if t.kind is not Kind.BATCH_UPLOAD or not t.covers or not waits:
        return None
    if record.cause == CUT_OFF:
        return None  # somebody has chosen: it goes
    return max(0, round(wait_s * 1000) - at_least_ms(record.stored, now, boot_no))


def cut_off() -> Change:
    """The change that asks a person what to do about a batch that is not complete."""
    return Change(
        event=Event.HOLD,
        cause=CUT_OFF,
        note="payments this batch upload covers are still unsent: wait for them or clear them, or "
        "release this upload, after which they are not sent any more",
    )
