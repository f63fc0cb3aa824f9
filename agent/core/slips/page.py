"""The slip a technician takes to his laptop: where the page is, the code, the certificate.

Says how long both count and what to do when the code is refused. The QR code holds the address
only: whoever photographs it has no way in.
"""

from __future__ import annotations

from agent.core.slips.paper import Block, Gap, Heading, Pair, Qr, Rule, Slip, Text

_WORDS = {
    "zh": {
        "title": "技术人员页面",
        "how": "用连接本终端的笔记本电脑打开：",
        "code": "登录码",
        "once": "只能用一次，{minutes} 分钟内有效",
        "closes": "页面关闭",
        "in": "{minutes} 分钟后",
        "print": "浏览器提示证书不受信任时，仅当 SHA-256 指纹与此一致才继续：",
        "refused": "若登录码无效，可能已被他人使用：posagent page show、posagent page close。",
    },
    "en": {
        "title": "Technician's page",
        "how": "Open on a laptop that is connected to this terminal:",
        "code": "Code",
        "once": "Counts once, within {minutes} min",
        "closes": "Page closes",
        "in": "in {minutes} min",
        "print": "The browser warns of the certificate. Go on only if its SHA-256 is:",
        "refused": "Code refused? Somebody else may have used it: posagent page show, page close.",
    },
}


def slip(
    *, address: str, code: str, code_s: int, closes_s: int, fingerprint: str, lang: str
) -> Slip:
    """The slip, in `zh` or anything else for English."""
    t = _WORDS["zh" if lang == "zh" else "en"]
    blocks: list[Block] = [
        Heading(t["title"]),
        Rule(),
        Text(t["how"]),
        Text(address, strong=True),
        Gap(),
        Pair(t["code"], f"{code[:4]} {code[4:]}", strong=True),
        Text(t["once"].format(minutes=max(1, code_s // 60))),
        Pair(t["closes"], t["in"].format(minutes=max(1, closes_s // 60))),
    ]
    if fingerprint:
        shown = fingerprint.upper()
        groups = [shown[at : at + 4] for at in range(0, len(shown), 4)]
        blocks += [Rule(), Text(t["print"])]
        blocks += [Text(" ".join(groups[at : at + 4])) for at in range(0, len(groups), 4)]
    blocks += [Rule(), Qr(address.encode()), Text(t["refused"])]
    return Slip("page", tuple(blocks))
