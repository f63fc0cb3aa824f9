"""`posagent why`: the verdict of the explain engine on a payment, a question or the terminal.

The lines come from `agent.core.why.render` with the verdict; here they are only wrapped, so that
command line, page, slip and fleet say the same in the same order.
"""

from __future__ import annotations

from datetime import datetime

from agent.cli.session import Exit, Session
from agent.cli.source import readable
from agent.cli.status import say_offline


def why(session: Session) -> int:
    """One payment, the terminal, or one of the questions about several payments."""
    source = readable(session)
    key = session.args.key
    question = session.args.question
    if question:
        verdict = source.ask("why_question", question=question)
    else:
        verdict = source.ask("why_transaction", key=key) if key else source.ask("why")
    if session.json:
        verdict["source"] = "daemon" if source.as_of is None else "store"
        verdict["as_of"] = source.as_of.isoformat() if source.as_of else verdict["at"]
        session.print_json(verdict)
        return Exit.OK
    say_offline(session, source, datetime.fromisoformat(verdict["at"]))
    for number, line in enumerate(verdict["text"][session.words.lang]):
        text = line.lstrip()
        indent = line[: len(line) - len(text)]
        title = number == 0 or (not indent and text[:1].isdigit())
        session.screen.text(text, indent=f"{indent}  ", first=indent, style="bold" if title else "")
    return Exit.OK
