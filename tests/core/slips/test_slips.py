"""What is on the slips, how they are laid out, and the goldens."""

from __future__ import annotations

import contextlib
import io
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.columns import width
from agent.core.money.batches import Batch
from agent.core.money.journal import Backlog, HostResult, Record, State
from agent.core.money.transaction import Card, Kind
from agent.core.slips import compact, diagnostic, presettlement, recent, voucher, words
from agent.core.slips.characters import on_paper
from agent.core.slips.escpos import Profile, encode
from agent.core.slips.kinds import KINDS
from agent.core.slips.layout import Code, Line, lines, rows
from agent.core.slips.paper import Gap, Heading, Pair, Qr, Rule, Slip, Text
from agent.core.slips.presettlement import Failed, LastTime, Scope, Standing, Sums
from agent.core.why.case import PutAside
from agent.sim.printers.escpos import EscPosBrain
from tests.golden.slips import samples
from tests.golden.slips.samples import CST, HERE, NOW, record

GOLDENS = list(samples.goldens())
CURRENCIES = ("CNY", "USD", "JPY", "KWD")
SCOPE = Scope(terminal_id="1", merchant_id="2")


def printed(raw: bytes) -> str:
    """What a simulated printer has on its paper after `raw`."""
    brain = EscPosBrain()
    assert brain.feed(raw) == []
    return brain.paper.take_text()


@pytest.mark.parametrize("golden", GOLDENS, ids=[name for name, _, _ in GOLDENS])
def test_goldens(golden: tuple[str, Slip, int]) -> None:
    """Text, printer bytes and image are what somebody looked at; the paper says what the text
    says. `python -m tests.golden.slips.samples` writes them anew."""
    from PIL import Image, ImageChops

    name, slip, columns = golden
    text = lines(slip, columns)
    assert "\n".join(text) + "\n" == (HERE / f"{name}.txt").read_text(encoding="utf-8")
    raw = encode(rows(slip, columns), Profile(columns=columns, cut=columns == 48))
    assert raw == (HERE / f"{name}.escpos").read_bytes()
    on_it = [row.text for row in rows(slip, columns) if isinstance(row, Line)]
    assert printed(raw).replace("\n--- cut ---\n", "").rstrip("\n") == "\n".join(on_it)
    now = Image.open(io.BytesIO(samples.drawn(slip, columns)))
    then = Image.open(HERE / f"{name}.png")
    assert now.size == then.size
    assert ImageChops.difference(now.convert("L"), then.convert("L")).getbbox() is None


_TEXTS = st.text(max_size=80) | st.text(
    "打印机缺纸，。（）abc xyz123…“😀é\u0301\x1b\n", max_size=80
)


@given(_TEXTS, _TEXTS, st.sampled_from([24, 32, 48]), st.booleans())
def test_no_text_leaves_the_paper(one: str, two: str, columns: int, strong: bool) -> None:
    """Whatever stands on a slip: no line is wider than the paper, no renderer raises, and the
    simulated printer prints exactly the lines of the text."""
    blocks = (
        Heading(one), Text(one, 4, two[:6], strong), Text(two, 0), Pair(one, two, strong), Rule(),
        Gap(), Qr(two.encode("utf-8", "replace"), one),
    )  # fmt: skip
    slip = Slip("any", blocks)
    for line in lines(slip, columns):
        assert width(line) <= columns
        assert line.isprintable()
    laid = rows(slip, columns)
    raw = encode(laid, Profile(columns=columns))
    if columns != 24:
        samples.drawn(slip, columns)
    on_it = [text for row in laid if isinstance(row, Line) for text in [row.text]]
    plain = [row for row in laid if isinstance(row, Line)]
    told = printed(encode(plain, Profile(columns=columns)))
    assert told == "\n".join(on_it) + "\n" + "\n\n\n"
    assert b"\x1b\x40" not in raw


def test_only_characters_everybody_draws_equally_wide() -> None:
    """Quotes and dashes become ASCII, accents go, the rest leaves a mark."""
    assert on_paper("“a”…—") == '"a"...-'
    assert on_paper("éЖ😀a\u0316打\U00020000") == "e?〓a打〓"
    assert on_paper("a\x1bb") == "a b"


def test_the_bytes_of_a_printer() -> None:
    """ESC @ and FS . only where the profile says so; a code it cannot draw comes as an image
    without a byte of a real-time command, or as text."""
    laid = rows(Slip("x", (Text("打", strong=True), Text("", strong=True), Qr(b"PA1"))), 32)
    raw = encode(laid, Profile(reset=True, ascii_mode=True, cut=True))
    assert raw.startswith(b"\x1b\x40\x1c\x26")
    assert raw.endswith(b"\x1d\x56\x42\x00\x1c\x2e")
    assert b"\x1b\x45\x01" + "打".encode("gb18030") + b"\x1b\x45\x00\n" in raw
    assert b"\x1d\x28\x6b\x06\x00\x31\x50\x30PA1" in raw
    matrix = [[(x * y) % 3 == 0 for x in range(61)] for y in range(61)]
    image = encode(laid, Profile(), lambda _: matrix)
    assert b"\x1d\x76\x30\x00" in image
    drawn = image.split(b"\x1d\x76\x30\x00")[1][4:]
    assert set(drawn.rstrip(b"\n")) <= {0x00, 0x0F, 0xF0, 0xFF}
    small = encode(laid, Profile(columns=48), lambda _: [[True]])
    assert b"\x1d\x76\x30\x00\x24\x00\x08\x00" in small
    assert encode(laid, Profile(), lambda _: None).count(b"PA1\n") == 1
    assert b"\x1d\x28\x6b" not in encode((Code(b"a\x10\x04"),), Profile())
    assert b"\x1d\x28\x6b" not in encode((Code(b"a" * 800),), Profile())
    assert b"\x31\x43\x04" in encode((Code(b"a" * 200),), Profile())


@st.composite
def journals(draw: st.DrawFn) -> list[Record]:
    made = st.tuples(
        st.sampled_from(list(Kind)), st.sampled_from(list(State)), st.booleans(),
        st.sampled_from(CURRENCIES), st.integers(0, 10**12), st.none() | st.integers(0, 10**6),
    )  # fmt: skip
    found = []
    for seq, (kind, state, doubt, currency, minor, part) in enumerate(
        draw(st.lists(made, max_size=40)), 1
    ):
        result = None if part is None else HostResult(posted_amount_minor=part)
        found.append(
            record(seq, state, kind=kind, in_doubt=doubt and state is not State.POSTED,
                   currency=currency, amount_minor=minor, result=result)
        )  # fmt: skip
    return found


@given(journals())
def test_sums_equal_an_independent_recount(journal: list[Record]) -> None:
    """Every payment is in exactly one place, and each sum is what a recount by hand gives."""
    sums = Sums()
    for one in journal:
        sums.take(one)
    count: Counter[tuple[str, str, str]] = Counter()
    total: Counter[tuple[str, str, str]] = Counter()
    for one in journal:
        if one.in_doubt or one.state == "sending":
            place = "in_doubt"
        else:
            place = {"posted": "confirmed", "held": "held", "queued": "unsent",
                     "waiting": "unsent"}.get(one.state, "nothing")  # fmt: skip
        cell = (place, one.transaction.currency or "", one.transaction.kind.value)
        count[cell] += 1
        if one.transaction.kind not in ("batch_upload", "settlement"):
            told = one.result.posted_amount_minor if one.result else None
            minor = one.transaction.amount_minor or 0
            total[cell] += minor if told is None else told
    assert {(str(a), b, str(c)): n for (a, b, c), (n, _) in sums.cells.items()} == dict(count)
    for (place, currency, kind), (_, minor) in sums.cells.items():
        assert minor == total[str(place), currency, str(kind)]
    assert sum(map(sums.count, Standing)) == len(journal)
    for lang in ("zh", "en"):
        told_lines = lines(presettlement.slip(sums, SCOPE, NOW, lang, CST), 32)  # type: ignore[arg-type]
        assert all(width(line) <= 32 for line in told_lines)


def test_what_is_missing_and_what_failed_first() -> None:
    """A batch the app counts larger, and journals put aside, are named; so is the printer."""
    sums = Sums()
    sums.take(record(1))
    told = Batch(terminal_id="1", batch="7", count=3, closed_at=NOW)
    scope = replace(
        SCOPE, batch="7", told=told, aside=(PutAside(path="/x/bad"),), cut_short=True, listed=4,
        last=LastTime(at=NOW, failed=None),
    )  # fmt: skip
    found = presettlement.missing(sums, scope)
    assert [one.count for one in found] == [None, 2, 4]
    text = " ".join(lines(presettlement.slip(sums, scope, NOW, "en", CST), 48))
    assert "counts 3" in text
    assert "list has 4" in text
    assert "too many" in text
    assert "still open" not in text
    assert "更早" in "".join(lines(presettlement.slip(sums, scope, NOW, "zh", CST), 48))
    nothing = "".join(lines(presettlement.slip(sums, SCOPE, NOW, "zh", CST), 48))
    assert "没有缺少的交易" in nothing
    assert presettlement.said(None) == ()
    bare = LastTime(at=NOW, failed=Failed.DATA)
    assert [one.code for one in presettlement.said(bare)] == ["presettlement.not_generated"]
    full = replace(bare, reason="x", missing=tuple(one.line for one in found), count=2)
    first, second = presettlement.said(full)
    assert first.evidence[0].render("en") == "pre-settlement slip: x"
    assert second.code == "presettlement.missing_records"
    assert presettlement.said(LastTime(at=NOW)) == []
    assert "the records" in " ".join(
        lines(presettlement.slip(sums, replace(SCOPE, last=bare), NOW, "en", CST), 48)
    )


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_voucher_never_claims_what_is_not_proven(state: State, lang: Any) -> None:
    """Only a posted payment reads as taken; with the outcome open it warns; always a reprint."""
    doubt = state in {State.WAITING, State.HELD}
    for one in (record(1, state), record(1, state, in_doubt=doubt)):
        text = " ".join(lines(voucher.slip(one, NOW, lang, CST), 48))
        assert {"zh": "重打印", "en": "REPRINT"}[lang] in text
        posted = {"zh": "主机已入账", "en": "Posted at the host"}[lang]
        assert (posted in text) is (state is State.POSTED)
        if words.doubtful(one):
            assert {"zh": "结果未知", "en": "OUTCOME UNKNOWN"}[lang] in text


def test_a_voucher_shows_no_card_and_both_amounts() -> None:
    """A number that came in too long is cut to four digits; a partial approval shows both."""
    one = record(
        1, card=Card(scheme=None, masked="6225881234567890"), stan=None, batch=None,
        result=HostResult(posted_amount_minor=500),
    )  # fmt: skip
    text = "\n".join(lines(voucher.slip(one, NOW, "en", CST), 48))
    assert "****7890" in text
    assert "6225" not in text
    assert "CNY 5.00" in text
    assert "CNY 10.05" in text
    bare = record(1, kind=Kind.SETTLEMENT, amount_minor=None, currency=None, card=None)
    assert "Amount" not in "\n".join(lines(voucher.slip(bare, NOW, "en", CST), 48))
    part = record(1, posted_amount_minor=7)
    assert words.amount(part) == "CNY 0.07"


def test_recent_payments_are_bounded_and_may_be_none() -> None:
    """Thirty at most, newest first; an empty journal says so."""
    many = recent.slip([record(n) for n in range(1, 50)], "T", NOW, "en", CST)
    told = lines(many, 48)
    assert sum("posted" in line for line in told) == recent.MOST
    assert "000049" in told[4]
    assert "没有交易" in lines(recent.slip([], "T", NOW, "zh", CST), 32)
    assert "No payments" in lines(recent.slip([], "T", NOW, "en", CST), 32)
    assert all(width(line) <= 32 for line in told[:0] + lines(many, 32))


def test_the_diagnostic_slip_says_the_verdict_in_its_order() -> None:
    """The code holds the same findings; without store, daemon or trouble it says that."""
    terminal = diagnostic.Terminal(device_id="T", version="1", backlog=None, alive=False)
    for lang in ("zh", "en"):
        for verdict in (
            samples.verdict("k-1", omitted=2),
            samples.verdict("k-1", findings=()),
            samples.verdict(findings=()),
        ):
            slip = diagnostic.slip(verdict, terminal, lang, CST)  # type: ignore[arg-type]
            text = "".join(lines(slip, 48))
            assert {"zh": "交易数据无法读取", "en": "The records cannot be read"}[lang] in text
            read = compact.decode(diagnostic.code_of(verdict, terminal))
            assert [code for code, _ in read.findings] == [one.code for one in verdict.findings]
            assert read.unsent is None
    quiet = replace(samples.backlog(), in_doubt=type(samples.backlog().total)(),
                    held=type(samples.backlog().total)())  # fmt: skip
    assert isinstance(quiet, Backlog)
    well = replace(terminal, backlog=quiet, alive=True, unknown=("x",))
    assert "In doubt" not in "".join(lines(diagnostic.slip(samples.verdict(), well, "en", CST), 48))


_CODES = st.text("a._打", min_size=1, max_size=20)
_MINUTES = st.integers(946_684_800 // 60, 4_070_908_800 // 60).map(
    lambda minute: datetime.fromtimestamp(minute * 60, UTC)
)


@given(
    st.text(max_size=20), _MINUTES, st.text(max_size=10),
    st.lists(st.tuples(_CODES, st.none() | _MINUTES), max_size=50),
    st.none() | st.integers(0, 999),
)  # fmt: skip
def test_a_code_is_read_as_it_was_written(
    device: str, at: datetime, key: str, findings: Any, unsent: int | None
) -> None:
    """Short enough to scan; what was left out for that is counted."""
    device = device.encode("utf-8", "replace").decode() or "T"
    key = key.encode("utf-8", "replace").decode()
    told = compact.Compact(
        device=device, at=at, key=key, findings=findings, unsent=unsent, amounts={"CNY": -5},
        in_doubt=1, held=2, unknown=("打",),
    )  # fmt: skip
    line = compact.encode(told)
    assert line.isascii()
    read = compact.decode(f" {line}\n")
    assert len(line) <= compact.MOST_CHARS or not read.findings
    kept = len(read.findings)
    assert read.omitted == len(findings) - kept
    assert list(read.findings) == findings[:kept]
    assert replace(read, findings=(), omitted=0) == replace(told, findings=(), device=device)
    with pytest.raises(compact.NoCompactError):
        compact.decode(line.replace("PA1", "PA1;"))


@given(st.text(max_size=100) | st.text("PA1;=dtcf@%,0123456789abcdef", max_size=80))
def test_what_is_no_code_is_refused(text: str) -> None:
    """One error, whatever was scanned; a right sum does not make a wrong field right."""
    from binascii import crc32

    for line in (text, f"PA1;{text}", f"PA1;d=x;t=20261122T0805Z;{text}"):
        for one in (line, f"{line};c={crc32(line.encode('utf-8', 'replace')):08x}"):
            with contextlib.suppress(compact.NoCompactError):
                compact.decode(one)


def test_odd_fields_are_refused_and_unknown_ones_left_aside() -> None:
    """A number that is none, no device, a time that is none, a field said twice."""
    from binascii import crc32

    def told(body: str) -> str:
        return f"PA1;{body};c={crc32(f'PA1;{body}'.encode()):08x}"

    assert compact.decode(told("d=x;t=20261122T0805Z;z=new")).device == "x"
    for body in ("t=20261122T0805Z", "d=x;t=2026", "d=x;t=20261122T0805Z;b=a", "d=x;d=x", "??"):
        with pytest.raises(compact.NoCompactError, match="field"):
            compact.decode(told(body))


def test_given_up_and_withdrawn_are_two_things() -> None:
    """A payment that was sent and given up by a person is not called uncharged."""
    assert "given up" in words.state_said(record(1, State.VOIDED), "en").lower()
    unsent = replace(record(1, State.VOIDED), sent=0)
    assert "nothing charged" in words.state_said(unsent, "en")
    assert words.masked(record(1, card=None).transaction) == ""
    assert len(KINDS) == len({kind.maker for kind in KINDS.values()})
