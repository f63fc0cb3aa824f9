"""The demo's minute, act by act, and the check at its end.

Decides what happens in which order and what must come out of it; who acts is `demo_actors`, what
is said is `demo_text`, what is started and stopped is `demo`. An act that does not come to its
end in time raises StoryError naming what it waited for.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.sim.broker import Heard, Watcher
from agent.sim.demo_actors import Paid, PaymentApp, page_answers, write_bank_list
from agent.sim.demo_text import Narrator
from agent.sim.host import ReferenceHost
from agent.sim.host_faults import Fault
from agent.sim.ledger import read_ledger, sums

#: How long the customer of the act "cut off" waits for the host's approval.
CUSTOMER_WAITS_S = 3.0
ACT_TIMEOUT_S = 40.0
PAPER_OUT = "printer.paper_out"
#: A payment the agent calls posted must be in the ledger; any other state excuses its absence,
#: and the books name those still on their way.
EXPECTED_AT_HOST = frozenset({"posted"})
UNSENT = frozenset({"queued", "sending", "waiting", "held"})
CUT_OFF = ("network.host_unreachable", "host.down")
#: Classes of a bank's list for payments that move no money, as the request that lapsed.
SETTLES_NOTHING = frozenset({"not_expected"})


class StoryError(Exception):
    """An act did not come to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Everybody on stage."""

    narrator: Narrator
    app: PaymentApp
    host: ReferenceHost
    ledger_file: Path
    printer: Callable[[str], Awaitable[None]]  #: obeys one line of the printer's language
    ear: Watcher
    config: Path
    page: str = ""  #: host:port of the technician's page
    #: `posagent …` as the fleet's operator types it, before the command's own words; empty: there
    #: is no broker his tool could speak to.
    order: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the acts leave for the check."""

    lapsed: tuple[str, ...]  #: keys
    alarm: bool
    cause: str
    obeyed: bool | None = None  #: the fleet's signed commands; None: none were sent
    #: What else was promised, by the name of its sentence, and whether it held.
    held: Mapping[str, bool] = field(default_factory=dict)


def money(amount_minor: int) -> str:
    return f"CNY {amount_minor // 100:,}.{amount_minor % 100:02d}"


async def until(
    condition: Callable[[], Awaitable[bool]], waiting_for: str, timeout_s: float = ACT_TIMEOUT_S
) -> None:
    """Poll until it holds; StoryError otherwise."""
    deadline_s = asyncio.get_running_loop().time() + timeout_s
    while not await condition():
        if asyncio.get_running_loop().time() > deadline_s:
            raise StoryError(f"waited {timeout_s:.0f} s in vain for: {waiting_for}")
        await asyncio.sleep(0.1)


async def play(cast: Cast) -> bool:
    """All acts and the check; True when everything agrees."""
    await _payments(cast)
    alarm, slip = await _paper(cast)
    lapsed, cause, late = await _cut_off(cast)
    obeyed = await _commands(cast)
    await _back(cast)
    bank = await _bank(cast)
    page = await page_answers(cast.page)
    held = {"check.late": late, "check.slip": slip, "check.bank": bank, "check.page": page}
    seen = Seen(lapsed=lapsed, alarm=alarm, cause=cause, obeyed=obeyed, held=held)
    good = await check(cast, seen)
    cast.narrator.say("all_good" if good else "not_good", seconds=cast.narrator.elapsed_s)
    return good


async def _payments(cast: Cast) -> None:
    say = cast.narrator.say
    cast.narrator.heading("act.pay")
    paid = [await cast.app.pay(amount, wait_s=60.0) for amount in (1250, 880, 46800)]
    paid += [await cast.app.pay(amount) for amount in (300, 12990, 5600)]
    say("pay.submitted", count=len(paid), amount=money(sum(one.amount_minor for one in paid)))
    await until(lambda: _all_in(cast, paid, "posted"), "the first payments being posted")
    say("pay.posted", count=len(paid))
    await cast.host.apply(Fault.named("drop_after", only="post", times=1))
    say("pay.lost")
    lost = await cast.app.pay(9900)
    await until(lambda: _all_in(cast, [lost], "posted"), "the lost answer being found out")
    found = next(one for one in cast.host.ledger.postings() if one.key == lost.key)
    say("pay.found", reference=found.reference)


async def _paper(cast: Cast) -> tuple[bool, bool]:
    """Whether the alarm came and went, and whether the slip agrees with the host."""
    cast.narrator.heading("act.paper")
    await _alarm(cast, "paper.pulled", "paper.alarm", "paper out", active=True)
    slip = asyncio.create_task(_slip(cast))  # while the printer is looked at again
    try:
        await _alarm(cast, "paper.filled", "paper.cleared", "paper ok", active=False)
        shown, agrees = await slip
    finally:
        slip.cancel()
    cast.narrator.say("paper.slip", command="posagent slip show presettlement")
    cast.narrator.quote(shown)
    return True, agrees


async def _slip(cast: Cast) -> tuple[str, bool]:
    """The pre-settlement slip as text; whether its total is that of the host's ledger."""
    total = sum(posting.amount_minor or 0 for posting in cast.host.ledger.postings())
    shown = await run_command(["slip", "show", "presettlement", *_here(cast)])
    return shown, f"{total // 100}.{total % 100:02d}" in shown


def _here(cast: Cast) -> tuple[str, ...]:
    """What every command of this terminal's own is told."""
    return "--config", str(cast.config), "--lang", cast.narrator.language


async def _alarm(cast: Cast, deed: str, heard_as: str, order: str, *, active: bool) -> None:
    loop = asyncio.get_running_loop()
    before, began_s = len(cast.ear.messages), loop.time()
    cast.narrator.say(deed)
    await cast.printer(order)

    def wanted(heard: Heard) -> bool:
        event = heard.fields.get("code"), heard.fields.get("active")
        return heard.kind == "event" and event == (PAPER_OUT, active)

    heard = await _hear(cast.ear, wanted, before, f"an event {PAPER_OUT} active={active}")
    cast.narrator.say(
        heard_as, seconds=loop.time() - began_s, topic=heard.topic, body=heard.payload.decode()
    )


async def _hear(
    ear: Watcher, wanted: Callable[[Heard], bool], after: int, waiting_for: str
) -> Heard:
    """The first wanted message among those that came after the first `after` ones."""

    def found() -> Heard | None:
        return next((heard for heard in ear.messages[after:] if wanted(heard)), None)

    await ear.expect(lambda: found() is not None, ACT_TIMEOUT_S)
    heard = found()
    if heard is None:
        raise StoryError(f"waited {ACT_TIMEOUT_S:.0f} s in vain for {waiting_for} over MQTT")
    return heard


async def _cut_off(cast: Cast) -> tuple[tuple[str, ...], str, bool]:
    say = cast.narrator.say
    cast.narrator.heading("act.cut")
    before = len(cast.ear.messages)
    await cast.host.apply(Fault.named("refuse"))
    say("cut.cut")
    advices = [await cast.app.pay(amount) for amount in (2500, 7150, 1999, 64000, 420)]
    say("cut.advices", count=len(advices), amount=money(sum(one.amount_minor for one in advices)))
    say("cut.request", seconds=f"{CUSTOMER_WAITS_S:.0f}")
    request = await cast.app.pay(15000, wait_s=CUSTOMER_WAITS_S)
    await until(lambda: _all_in(cast, [request], "lapsed"), "the request lapsing")
    say("cut.lapsed")
    amount = money(sum(one.amount_minor for one in advices))

    def told(heard: Heard) -> bool:
        return heard.kind == "backlog" and heard.fields.get("count") == len(advices)

    heard = await _hear(cast.ear, told, before, f"a backlog of {len(advices)} payments")
    say("cut.backlog", count=len(advices), amount=amount, fleet=heard.fields["count"])
    late = await _late(cast, {one.key for one in advices})
    return (request.key,), await _why(cast), late


async def _late(cast: Cast, keys: set[str]) -> bool:
    """Whether the agent itself calls these late, and no others."""

    async def all_late() -> bool:
        return int((await cast.app.verdict("late"))["payments_total"]) >= len(keys)

    await until(all_late, f"{len(keys)} payments being late")
    named = (await cast.app.verdict("late"))["payments"]
    return {str(one["key"]) for one in named} == keys


async def _why(cast: Cast) -> str:
    """Run the real commands, show what they say, and find the cause they name."""
    plain = ["why", *_here(cast)]
    late = ["why", "--late", *_here(cast)]
    machine, said, about_late = await asyncio.gather(
        run_command([*plain, "--json"]), run_command(plain), run_command(late)
    )
    parts = about_late.split("\n\n")  # the causes, which are the same, stand in the second
    if len(parts) > 3:
        about_late = "\n…\n".join((parts[0], parts[2]))
    for arguments, text in ((plain, said), (late, about_late)):
        cast.narrator.say("cut.why", command="posagent " + " ".join(arguments))
        cast.narrator.quote(text)
    return next((code for code in CUT_OFF if code in machine), "")


async def _commands(cast: Cast) -> bool | None:
    """The fleet's operator holds a waiting payment and lets it go; True if both were obeyed."""
    cast.narrator.heading("act.fleet")
    if not cast.order:
        cast.narrator.say("fleet.none")
        return None
    waiting = cast.app.paid[-2]  # the newest is the request that lapsed
    cast.narrator.say("fleet.key")
    held = await _ordered(cast, "hold", waiting) == "held"
    return held and await _ordered(cast, "release", waiting) in UNSENT - {"held"}


async def _ordered(cast: Cast, op: str, about: Paid) -> str:
    """Send one signed command, show what comes of it; the payment's state then."""
    arguments = [*cast.order, op, "--arg", f"key={about.key}"]
    cast.narrator.say("fleet.sent", command=f"posagent fleet send … {' '.join(arguments[-3:])}")
    cast.narrator.quote(await run_command(arguments))
    state = str((await cast.app.record(about.key))["state"])
    cast.narrator.say("fleet.state", state=state)
    return state


async def run_command(arguments: list[str], timeout_s: float = 20.0) -> str:
    """What `posagent ARGUMENTS` prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "agent",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(timeout_s):
            output, _ = await process.communicate()
    except TimeoutError as error:
        raise StoryError(f"posagent {arguments[0]} took longer than {timeout_s:.0f} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return output.decode("utf-8", "replace")


async def _back(cast: Cast) -> None:
    loop = asyncio.get_running_loop()
    cast.narrator.heading("act.back")
    await cast.host.apply(Fault())
    began_s = loop.time()
    cast.narrator.say("back.back")
    await until(lambda: _drained(cast.app), "the backlog draining")
    cast.narrator.say("back.drained", seconds=loop.time() - began_s)


async def _bank(cast: Cast) -> bool:
    """The bank's list against this terminal; True if just its two mistakes are found."""
    narrator, postings = cast.narrator, cast.host.ledger.postings()
    narrator.heading("act.bank")
    file = cast.config.parent / "bank.csv"
    write_bank_list(file, postings)
    narrator.say("bank.written", path=file)
    narrator.say("bank.read", command=f"posagent reconcile {file}")
    narrator.quote(await run_command(["reconcile", str(file), *_here(cast)]))
    counts = (await cast.app.reconciled())["counts"]
    found = {name: count for name, count in counts.items() if name not in SETTLES_NOTHING}
    return found == {"matched": len(postings) - 2, "amount_differs": 1, "missing_there": 1}


async def _drained(app: PaymentApp) -> bool:
    return unsent_count(await app.backlog()) == 0


def unsent_count(backlog: dict[str, Any]) -> int:
    total = backlog.get("total", backlog)
    count: int = total["count"]
    return count


async def _all_in(cast: Cast, paid: list[Paid], state: str) -> bool:
    return all([(await cast.app.record(one.key))["state"] == state for one in paid])


async def check(cast: Cast, seen: Seen | None) -> bool:
    """The ledger against what was submitted; says every line and whether all agree."""
    narrator = cast.narrator
    narrator.heading("act.check")
    in_ledger = {posting.key for posting in read_ledger(cast.ledger_file)}
    states = {
        one.key: str((await cast.app.record(one.key))["state"])
        for one in cast.app.paid
        if one.key not in in_ledger
    }
    excused = {key for key, state in states.items() if state not in EXPECTED_AT_HOST}
    if seen is not None:
        excused &= set(seen.lapsed)  # the story knows which one may be absent, and no other
    still_open = sum(state in UNSENT for state in states.values())
    results = [_books(cast, excused, still_open)]
    if seen is not None:
        arrived = in_ledger & set(seen.lapsed)
        narrator.verdict(not arrived, "check.lapsed")
        narrator.verdict(seen.alarm, "check.alarm")
        narrator.verdict(bool(seen.cause), "check.why", cause=seen.cause or "-")
        results += [not arrived, seen.alarm, bool(seen.cause)]
        for name, good in seen.held.items():
            narrator.verdict(good, name, address=f"http://{cast.page}/")
            results.append(good)
        if seen.obeyed is not None:
            narrator.verdict(seen.obeyed, "check.obeyed")
            results.append(seen.obeyed)
    return all(results)


def _books(cast: Cast, excused: set[str], still_open: int) -> bool:
    """Every payment once and with its amount, except those excused."""
    narrator, postings = cast.narrator, read_ledger(cast.ledger_file)
    submitted = {one.key: one.amount_minor for one in cast.app.paid}
    declined = {posting.key for posting in postings if posting.status == "declined"}
    expected = {k: v for k, v in submitted.items() if k not in excused | declined}
    found = {posting.key: posting.amount_minor for posting in postings if posting.key in expected}
    missing = [key for key, amount in expected.items() if found.get(key) != amount]
    known = submitted.keys() | cast.app.unsure
    strange = [posting for posting in postings if posting.key not in known]
    twice = sums(postings).duplicates
    narrator.verdict(
        not missing,
        "check.posted",
        expected=len(expected),
        amount=money(sum(expected.values())),
        found=len(found),
        ledger=money(sum(amount or 0 for amount in found.values())),
    )
    if still_open:
        narrator.verdict(True, "open", count=still_open)
    narrator.verdict(not missing, "check.missing", count=len(missing))
    narrator.verdict(not twice, "check.twice", count=len(twice))
    narrator.verdict(not strange, "check.strange", count=len(strange))
    return not (missing or twice or strange)
