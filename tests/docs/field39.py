"""Writes the table of response codes in docs/contracts/iso8583.md from the code.

`python -m tests.docs.field39` writes it again; a test compares.
"""

from __future__ import annotations

from pathlib import Path

from agent.core.money.delivery import Answer
from agent.core.money.field39 import UNIONPAY, Side, Table
from agent.core.why.causes import CATALOGUE
from agent.core.why.response_codes import RESPONSE_CODES

DOCUMENT = Path(__file__).resolve().parent.parent.parent / "docs/contracts/iso8583.md"
BEGIN = "<!-- field 39: written by python -m tests.docs.field39 -->\n"
END = "<!-- field 39 ends -->\n"

WORDS = {
    Answer.POSTED: "posted",
    Answer.DECLINED: "declined",
    Answer.IN_PROGRESS: "in doubt, ask",
    Answer.UNSETTLED: "in doubt, never resent",
    Answer.LATER: "again later",
    Answer.BUSY: "again later, whole channel slows",
    Answer.BLOCKED: "held",
    Answer.UNAUTHORISED: "waits, channel pauses",
}
APPROVED = {
    "00": ("承兑或交易成功", "approved"),
    "10": ("部分承兑", "approved in part (amount in field 4)"),
    "11": ("批准（VIP）", "approved (VIP)"),
}
DEFECTIVE = ("有缺陷的成功", "approved with a defect")


def table() -> str:
    """The table in Markdown."""
    rules = Table()
    lines = [
        "| 39 | 含义 | meaning | request | advice | reversal | who acts 责任方 | what to do |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for code in sorted(UNIONPAY):
        row = UNIONPAY[code]
        meaning = RESPONSE_CODES.get(code)
        if row.cause and meaning is not None:
            zh, en = meaning.text.zh, meaning.text.en
            owner = str(meaning.owner or CATALOGUE[row.cause].owner)
        else:
            zh, en = APPROVED.get(code, DEFECTIVE)
            owner = "–"
        sides = [
            WORDS[rules.rule(code, side).answer]
            for side in (Side.REQUEST, Side.ADVICE, Side.REVERSAL)
        ]
        lines.append(f"| `{code}` | {zh} | {en} | {' | '.join(sides)} | {owner} | {row.action} |")
    return "\n".join(lines) + "\n"


def written(text: str) -> str:
    """The document with the table as it is now."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table()}{END}{after}"


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text("utf-8")), "utf-8")
