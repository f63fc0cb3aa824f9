"""The page's doors, in the local API: signing in and out, and the listener for a technician.

Rows of `agent.wire.api.OPERATIONS`. Sessions exist only on the page's own listeners
(`agent.local.door`); on the unix socket the kernel says who asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Struct, structs

from agent.wire.arguments import Nothing
from agent.wire.operation import LOOKERS, TECHNICIANS, Operation, Role


class SignInArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The token of `[page] token_file`, or a code of 8 digits that counts once."""

    code: Annotated[str, Meta(min_length=1, max_length=200)]


class SessionOut(Struct, frozen=True, kw_only=True):
    """Whether this browser is signed in, as what, and for how long."""

    signed_in: bool
    listener: str
    """`loopback`: on the terminal itself; `service`: on a cable or a network."""
    roles: list[str]
    """What may be done now; empty without a session, unless `[page] open_read` is set."""
    expires_in_s: int
    """Until the session ends whatever is done; 0: none."""
    idle_in_s: int
    """Until it ends when nothing is asked for."""
    closes_in_s: int
    """service: until the listener closes; 0: it does not."""


class PageOpenArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For how long; 0: `[page] service_minutes`."""

    minutes: Annotated[int, Meta(ge=0, le=120)] = 0


class ListenerOut(Struct, frozen=True, kw_only=True):
    """One place where the page is served."""

    listener: str
    address: str
    """Such as `http://127.0.0.1:8470/`."""
    sessions: int
    closes_in_s: int
    """0: it stays."""
    opened_by: str
    fingerprint: str
    """SHA-256 of the certificate; empty: no TLS."""


class PageOut(Struct, frozen=True, kw_only=True):
    """Where the page is served."""

    listeners: list[ListenerOut]
    service_configured: bool


class PageCodeOut(Struct, frozen=True, kw_only=True):
    """A way in that counts once."""

    listener: str
    address: str
    code: str
    """8 digits; told this once and kept nowhere."""
    expires_in_s: int
    closes_in_s: int
    fingerprint: str
    printed: bool
    """Whether it went onto a slip."""


class DiagnoseOut(Struct, frozen=True, kw_only=True):
    """What becomes of a request made at the terminal."""

    accepted: bool
    """The diagnostic slip is printed as soon as the printer can."""
    wait_s: int
    """Not accepted: there was one just now; ask again after so long."""
    opens: bool
    """The service listener opens as well, and its code is on a slip."""


def on_slip(told: PageCodeOut) -> PageCodeOut:
    """The same, printed."""
    return structs.replace(told, printed=True)


SESSIONS: tuple[Operation, ...] = (
    Operation(
        name="sign_in",
        method="POST",
        path="/v1/session",
        roles=tuple(Role),
        summary="Page only: sign in with the token or a code; sets the session's cookie.",
        arguments=SignInArgs,
        result=SessionOut,
        problems=(
            "session.code", "session.locked", "session.no_code", "session.not_here",
        ),
    ),
    Operation(
        name="signed_in",
        method="GET",
        path="/v1/session",
        roles=tuple(Role),
        summary="Page only: whether this browser is signed in.",
        arguments=Nothing,
        result=SessionOut,
        problems=("session.not_here",),
    ),
    Operation(
        name="sign_out",
        method="DELETE",
        path="/v1/session",
        roles=tuple(Role),
        summary="Page only: end the session.",
        arguments=Nothing,
        result=SessionOut,
        problems=("session.not_here",),
    ),
    Operation(
        name="diagnose",
        method="POST",
        path="/v1/diagnose",
        roles=(Role.REPORT, Role.TECHNICIAN),
        summary="Firmware passes on that somebody at the terminal asks for help: prints the "
        "diagnostic slip, and opens the page for a laptop where [page] says so.",
        arguments=Nothing,
        result=DiagnoseOut,
        problems=("daemon.down",),
    ),
    Operation(
        name="page",
        method="GET",
        path="/v1/page",
        roles=LOOKERS,
        summary="Where the technician's page is served, and until when.",
        arguments=Nothing,
        result=PageOut,
        problems=("daemon.down",),
    ),
    Operation(
        name="page_code",
        method="POST",
        path="/v1/page/code",
        roles=TECHNICIANS,
        summary="A code that signs in once to the page on this terminal.",
        arguments=Nothing,
        result=PageCodeOut,
        audited=True,
        problems=("page.off", "daemon.down"),
    ),
    Operation(
        name="page_open",
        method="POST",
        path="/v1/page/open",
        roles=TECHNICIANS,
        summary="Serve the page on the service interface for some minutes; answers its code.",
        arguments=PageOpenArgs,
        result=PageCodeOut,
        audited=True,
        problems=(
            "page.no_service", "page.open_already", "page.no_address", "page.no_certificate",
            "daemon.down",
        ),
    ),
    Operation(
        name="page_close",
        method="POST",
        path="/v1/page/close",
        roles=TECHNICIANS,
        summary="Close the service listener now; its sessions end.",
        arguments=Nothing,
        result=PageOut,
        audited=True,
        problems=("daemon.down",),
    ),
)  # fmt: skip

#: What the page's listeners say no with, in Chinese: title, detail, hint. English is in `problem`.
IN_CHINESE: Mapping[str, tuple[str, str, str]] = {
    "page.host": (
        "地址不符",
        "请求的 Host 不是本页面的地址",
        "请直接输入终端显示的地址，不要通过其他域名访问。",
    ),
    "page.origin": (
        "来自其他网站",
        "请求来自另一个网页",
        "请关闭其他网页，从终端显示的地址打开本页面。",
    ),
    "session.none": ("尚未登录", "该操作需要先登录", "请用一次性登录码登录：posagent page"),
    "session.stale": ("登录已失效", "登录已过期或已退出", "请重新登录。"),
    "session.code": ("登录码不正确", "登录码或令牌不正确", "请核对 8 位登录码后重新输入。"),
    "session.no_code": (
        "没有有效的登录码",
        "登录码已使用、已过期或输错次数过多",
        "请重新取码：posagent page，或再打印一张诊断单。",
    ),
    "session.locked": (
        "尝试次数过多",
        "输错次数过多，暂时不能登录",
        "请等待提示的秒数后再试。",
    ),
    "role.missing": ("没有权限", "当前登录不具备该操作的权限", "请以技术人员身份登录。"),
    "events.too_many": ("事件流过多", "打开的页面过多", "请关闭其他页面。"),
    "route.unknown": ("没有该地址", "该地址不存在", ""),
}
