"""Writes docs/causes.md and docs/causes.zh.md, the catalogue for people, from the code.

`python -m tests.docs.causes` writes them again; a test compares.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from agent.cli.texts import Words
from agent.core.why.causes import CATALOGUE, CHAPTERS, Cause
from agent.core.why.guidance import guidance

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
Lang = Literal["zh", "en"]
DOCUMENTS: dict[Lang, Path] = {"en": DOCS / "causes.md", "zh": DOCS / "causes.zh.md"}

HEAD: dict[Lang, str] = {
    "en": """# Why money does not arrive: every cause and what to do

{count} causes, as the agent names them in verdicts, alarms, slips and fleet messages.
[中文](causes.zh.md). On the terminal: `posagent causes` lists them, `posagent causes CODE` shows
one, `--owner`, `--known`, `--chapter` and `--words` filter, `--json` is for programs. Facts a
sentence can name (times, numbers, addresses) are left out here. Written by `make contracts` from
the code; edit the code, not this page.
""",
    "zh": """# 款项为何未到账：全部原因与处理办法

共{count}个原因，与结论、告警、小票、远程消息里的代码一致。[English](causes.md)。
在终端上：`posagent causes` 列出全部，`posagent causes 代码` 看一个；
`--owner`、`--known`、`--chapter`、`--words` 筛选，`--json` 供程序使用。
句中的时间、号码、地址此处略去。
本页由 `make contracts` 从代码生成，请改代码，不要改本页。
""",
}
CALL: dict[Lang, str] = {"en": "then call ", "zh": "然后致电"}


def page(lang: Lang) -> str:
    """The document of one language."""
    words = Words(lang)
    lines = [HEAD[lang].format(count=len(CATALOGUE))]
    for name, entries in CHAPTERS.items():
        lines.append(f"## {words.word('chapter', name)}\n")
        for cause in entries:
            lines += [*_entry(cause, lang, words), ""]
    return "\n".join(lines).rstrip() + "\n"


def _entry(cause: Cause, lang: Lang, words: Words) -> Iterator[str]:
    told = guidance(cause.code)
    assert told is not None, cause.code
    joint = "、" if lang == "zh" else ", "
    known = joint.join(words.word("known", letter) for letter in sorted(cause.known_by))
    pair = words("pair", name=words.word("owner", cause.owner), value=cause.step.render(lang))
    yield f"### `{cause.code}` {cause.title.render(lang)}"
    yield ""
    yield f"- **{pair}**"
    yield f"- {cause.reason.render(lang)}"
    for name in ("now", "say"):
        value = getattr(told, name).render(lang)
        yield f"- {words('pair', name=words(f'causes.{name}'), value=value)}"
    stop = words("pair", name=words("causes.stop"), value=told.stop.render(lang))
    call = told.call(lang)
    end = "；" if lang == "zh" else "; "
    yield f"- {stop}{end}{CALL[lang] + call if call else words('causes.nobody')}"
    yield f"- {words('causes.known', how=known)}"


if __name__ == "__main__":
    for lang, document in DOCUMENTS.items():
        document.write_text(page(lang), "utf-8")
