"""`posagent hooks check`: a vendor's hooks tried out, each with what is wrong, where, what to do.

What is tried is decided in `agent.hooks.check`; this shows it. Exit 1 where a hook is wrong.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from agent import settings
from agent.cli.session import Exit, Session
from agent.clock import SystemClock
from agent.config.hooks import Hooks
from agent.errors import OperatorError
from agent.hooks.check import CHECKED_WITH, Checked, check
from agent.hooks.findings import Finding, HookError
from agent.wire.hook_table import plain


def hooks(session: Session) -> int:
    """Check a directory."""
    from agent.supervise import DaemonThreads

    config = settings.load(session.config_file, references=False).config
    session.speak(config.agent.language)
    args = session.args
    tried = Hooks(
        directory=str(args.directory or Path(config.hooks.directory)),
        deadline_s=args.deadline or config.hooks.deadline_s,
        output_max_bytes=config.hooks.output_max_bytes,
    )
    try:
        found = asyncio.run(check(tried, SystemClock(), DaemonThreads()))
    except HookError as error:
        finding = error.finding
        lang = session.words.lang
        raise OperatorError(
            f"hooks.{finding.word}", finding.what(lang), finding.step(lang)
        ) from None
    if session.json:
        session.print_json(_plain(tried.directory, found))
    else:
        _show(session, found)
    return Exit.OK if all(one.ok for one in found) else Exit.FOUND


def _show(session: Session, found: list[Checked]) -> None:
    t, screen = session.words, session.screen
    for one in found:
        screen.text(t("pair", name=one.file, value=_said(session, one)), indent="  ",
                    style="good" if one.ok else "bad")  # fmt: skip
        for finding in one.wrong:
            _show_finding(session, finding, "bad")
        for finding in one.doubtful:
            _show_finding(session, finding, "warn")
    hooked = [one for one in found if one.hook]
    wrong = sum(not one.ok for one in hooked)
    known = {"contract": CHECKED_WITH["contract"], "version": CHECKED_WITH["agent_version"]}
    text = "hooks.some_wrong" if wrong else "hooks.all_ok"
    screen.text(t(text, wrong=wrong, count=len(hooked), **known), style="bad" if wrong else "good")
    if os.geteuid() == 0 and any(one.took_s is not None for one in found):
        screen.text(t("hooks.as_root"), style="dim")


def _said(session: Session, one: Checked) -> str:
    t = session.words
    if not one.hook:
        return t("hooks.not_a_hook")
    if not one.ok:
        return t("hooks.wrong")
    if one.answer is None:
        return t("hooks.not_run")
    answer = plain(one.answer)
    outcome = answer.pop("outcome", "")
    parts = [t("hooks.ok")] if one.took_s is None else [f"{t('hooks.ok')} ({one.took_s:.2f} s)"]
    parts.append(str(outcome))
    if "state" in answer:
        parts += [f"{key} = {value}" for key, value in answer["state"].items() if value is not None]
    elif "reason" in answer:
        parts.append(answer["reason"])
    return ", ".join(part for part in parts if part)


def _show_finding(session: Session, finding: Finding, style: str) -> None:
    lang, screen = session.words.lang, session.screen
    screen.text(finding.what(lang), indent="    ", first="  ", style=style)
    screen.text(finding.step(lang), indent="     ", first="  -> ")


def _plain(directory: str, found: list[Checked]) -> dict[str, Any]:
    return {
        "directory": directory,
        **CHECKED_WITH,
        "ok": all(one.ok for one in found),
        "hooks": [
            {
                "file": one.file,
                "hook": one.hook or None,
                "ok": one.ok,
                "took_ms": None if one.took_s is None else round(one.took_s * 1000),
                "answer": None if one.answer is None else plain(one.answer),
                "wrong": [_finding(finding) for finding in one.wrong],
                "notes": [_finding(finding) for finding in one.doubtful],
            }
            for one in found
        ],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    both = {lang: (finding.what(lang), finding.step(lang)) for lang in ("en", "zh")}
    return {
        "finding": finding.word,
        "what": {lang: said[0] for lang, said in both.items()},
        "do": {lang: said[1] for lang, said in both.items()},
    }
