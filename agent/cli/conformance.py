"""`posagent conformance URL`: hold a host against the receiver contract, with a plain report.

Checks what it is given, asks before real money moves, and words the report; what is sent and what
it shows is `agent.conformance`'s. Needs no daemon, no configuration and no store.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from agent.cli.screen import pad
from agent.cli.session import Exit, Session
from agent.conformance import Report, Target, Verdict, Ways, examine, outdated_context
from agent.core.why.text import Money, format_money
from agent.errors import OperatorError
from agent.http.client import Origin
from agent.settings.rules import loopback

#: For this machine, where no acquirer gave any.
TERMINAL, MERCHANT = "T0000001", "M00000000000001"
STYLES = {Verdict.FAILS: "bad", Verdict.ADVICE: "warn", Verdict.HOLDS: "good"}


def conformance(session: Session) -> int:
    """Examine it, show what was found; 1 when a requirement does not hold."""
    target = _target(session)
    _ask_first(session, target)
    ways = _ways(session, target)
    began_s = time.monotonic()
    report = asyncio.run(examine(target, ways, secrets.token_hex(4), _progress(session)))
    seconds = time.monotonic() - began_s
    if session.json:
        plain = {"url": session.args.url, "seconds": round(seconds, 1)}
        session.print_json(plain | report.as_plain(session.words.lang))
    else:
        _show(session, report, seconds)
    return Exit.OK if report.holds else Exit.FOUND


def _target(session: Session) -> Target:
    args = session.args
    origin, path = _address(session, args.url)
    return Target(
        origin=origin,
        path=path,
        terminal_id=args.terminal or TERMINAL,
        merchant_id=args.merchant or MERCHANT,
        kind=args.kind,
        posting=args.posting,
        amount_minor=args.amount,
        currency=args.currency,
        content_type=args.content_type,
        template=None if args.body is None else _bytes(session, args.body),
        headers=_headers(session),
        answer_timeout_s=float(args.timeout),
        in_flight_s=float(args.in_flight),
        other_terminal_id=args.other_terminal or "",
        decline_amount_minor=args.decline_amount,
    )


def _address(session: Session, url: str) -> tuple[Origin, str]:
    bad = OperatorError("conformance.url", session.words("conformance.no_url", url=url))
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise bad from error
    scheme: Literal["http", "https"]
    match parts.scheme:
        case "http":
            scheme = "http"
        case "https":
            scheme = "https"
        case _:
            raise bad
    host = parts.hostname or ""
    strange = parts.query or parts.fragment or parts.username is not None
    if not host or strange or port == 0 or not url.isascii() or any(c.isspace() for c in url):
        raise bad
    if scheme == "http" and not loopback(host):
        raise OperatorError("conformance.plain", session.words("conformance.plain", host=host))
    origin = Origin(scheme=scheme, host=host, port=port or (443 if scheme == "https" else 80))
    return origin, parts.path or "/"


def _ask_first(session: Session, target: Target) -> None:
    """Real money moves only where somebody said so."""
    args, t = session.args, session.words
    host = target.origin.host
    if loopback(host):
        return
    if not (args.yes and args.terminal and args.merchant):
        amount = format_money(Money(target.amount_minor, target.currency))
        said = t("conformance.ask", amount=amount, host=host, terminal=target.terminal_id)
        raise OperatorError("conformance.ask", said, t("conformance.ask.hint"))
    print(t("conformance.warn", host=host, terminal=target.terminal_id), file=sys.stderr)


def _ways(session: Session, target: Target) -> Ways:
    from agent.link.dial import Dialer
    from agent.link.tls import client_context
    from agent.supervise import DaemonThreads

    args = session.args
    dial = Dialer(DaemonThreads())
    if target.origin.scheme == "http":
        return Ways(dial=dial)
    files = [str(file or "") for file in (args.ca_file, args.cert, args.key)]
    return Ways(
        dial=dial,
        tls=client_context(*files),
        outdated=outdated_context(),
        bare=client_context(files[0]) if args.cert else None,
    )


def _headers(session: Session) -> tuple[tuple[str, str], ...]:
    args = session.args
    lines: list[str] = list(args.header or ())
    if args.header_file is not None:
        text = _bytes(session, args.header_file).decode("utf-8", "replace")
        lines += [line for line in text.splitlines() if line.strip()]
    found: list[tuple[str, str]] = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.strip() or not line.isascii():
            # The name alone: what stands behind it may be a secret.
            shown = repr(name.strip()[:20]) if colon else "…"
            raise OperatorError(
                "conformance.header", session.words("conformance.header", line=shown)
            )
        found.append((name.strip(), value.strip()))
    if args.token_file is not None:
        token = _bytes(session, args.token_file).decode("ascii", "replace").strip()
        found.append(("Authorization", f"Bearer {token}"))
    return tuple(found)


def _bytes(session: Session, file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        said = session.words("conformance.file", file=file, reason=error.strerror or str(error))
        raise OperatorError("conformance.file", said) from error


def _progress(session: Session) -> Any:
    if session.json or not session.screen.tty:
        return None

    def told(done: int, parts: int) -> None:
        sys.stderr.write(f"\r{done}/{parts} " if done < parts else "\r       \r")
        sys.stderr.flush()

    return told


def _show(session: Session, report: Report, seconds: float) -> None:
    t, screen = session.words, session.screen
    head = t(
        "conformance.head", url=session.args.url, requests=report.requests,
        seconds=f"{seconds:.1f}",
    )  # fmt: skip
    screen.text(head, style="bold")
    for finding in report.findings:
        requirement = finding.requirement
        first = f"{requirement.number:2}  {pad(t.word('verdict', finding.verdict), 6)}  "
        style = STYLES.get(finding.verdict, "dim")
        screen.text(requirement.asks.render(t.lang), " " * 12, first, style)
        for seen in finding.seen:
            unseen = finding.verdict is Verdict.UNSEEN
            word = "conformance.unseen" if unseen else "conformance.seen"
            screen.text(t(word, what=seen.render(t.lang)), " " * 14, " " * 12)
        if finding.verdict in (Verdict.FAILS, Verdict.ADVICE):
            said = t("conformance.costs", what=requirement.costs.render(t.lang))
            screen.text(said, " " * 14, " " * 12)
    counts = {verdict.value: report.count(verdict) for verdict in Verdict}
    screen.text(t("conformance.sum", **counts))
    if report.posted:
        _show_posted(session, report)
    screen.line(
        t("conformance.good" if report.holds else "conformance.bad"),
        "good" if report.holds else "bad",
    )


def _show_posted(session: Session, report: Report) -> None:
    """Somebody has to take them back."""
    posted = report.posted
    money = Money(sum(one.amount_minor for one in posted), posted[0].currency)
    said = session.words(
        "conformance.posted", count=len(posted), sum=format_money(money),
        first=posted[0].key, last=posted[-1].key,
    )  # fmt: skip
    session.screen.text(said)
