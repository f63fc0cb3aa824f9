"""Slips: which there are, and one of them as text, image or bytes for a printer.

Making one reads the same ports as everything else, so it works over a dead daemon's store too.
Images are drawn beside the daemon.
"""

from __future__ import annotations

import base64
import contextlib
import importlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from agent.actions.ports import Ports
from agent.errors import StoreError
from agent.offload import OffloadError
from agent.wire.api import Nothing
from agent.wire.problem import RequestError
from agent.wire.slips import SlipKindOut, SlipShowArgs, SlipShownOut, SlipsOut
from agent.wire.views import Both

if TYPE_CHECKING:
    from agent.core.slips.layout import Row
    from agent.core.slips.paper import Slip

#: Shorter than the daemon allows a handler.
DRAW_S = 20.0
EXTRA = "it needs the package posagent-extras, elsewhere pip install 'posagent[slips]'"


async def kinds(ports: Ports, args: Nothing) -> SlipsOut:
    """The table."""
    from agent.core.slips.kinds import KINDS

    del args
    told = [
        SlipKindOut(
            kind=kind.name,
            title=Both(zh=kind.title.render("zh"), en=kind.title.render("en")),
            about=kind.about,
        )
        for kind in KINDS.values()
    ]
    printing = "" if ports.printing is None else ports.printing.how
    return SlipsOut(slips=told, printing=printing)


async def show(ports: Ports, args: SlipShowArgs) -> SlipShownOut:
    """One slip in the form asked for."""
    try:
        return await _shown(ports, args)
    except (StoreError, RequestError) as error:
        if args.kind == "presettlement":
            from agent.actions.slip_presettlement import stopped

            await stopped(ports, error, args.key)
        raise


async def _shown(ports: Ports, args: SlipShowArgs) -> SlipShownOut:
    from agent.core.slips import layout

    slip = await made(ports, args.kind, args.key, args.lang)
    lines: list[str] = []
    data: bytes | None = None
    match args.form:
        case "text":
            lines = layout.lines(slip, args.columns)
        case "png":
            rows = layout.rows(slip, args.columns)
            data = base64.b64decode(await _drawn(ports, "png", rows, args.columns))
        case "escpos":
            from agent.core.slips.escpos import Profile, encode

            data = encode(layout.rows(slip, args.columns), Profile(columns=args.columns))
    return SlipShownOut(
        kind=args.kind,
        key=args.key,
        columns=args.columns,
        form=args.form,
        lines=lines,
        data=None if data is None else base64.b64encode(data).decode(),
    )


async def made(ports: Ports, kind: str, key: str, lang: str) -> Slip:
    """The slip. Raises RequestError and StoreError."""
    from agent.core.slips.kinds import KINDS, About

    row = KINDS.get(kind)
    if row is None:
        raise RequestError("slip.unknown_kind", f"there is no slip {kind}", field="kind")
    if row.about is About.NOTHING and key:
        raise RequestError("slip.key", f"a slip {kind} takes no key", field="key")
    if row.about is About.PAYMENT and not key:
        raise RequestError("slip.key", f"a slip {kind} needs the key of a payment", field="key")
    if row.about is About.NUMBER and key and not (key.isdecimal() and len(key) <= 9):
        raise RequestError("slip.key", "key is the number of a report", field="key")
    file, function = row.maker.split(".")
    make = getattr(importlib.import_module(f"agent.actions.{file}"), function)
    slip: Slip = await make(ports, key, lang)
    return slip


async def matrices(ports: Ports, rows: Sequence[Row]) -> Mapping[bytes, Any]:
    """The QR codes among `rows` as modules; empty where nobody can make them."""
    from agent.core.slips.layout import Code

    codes = [row.data for row in rows if isinstance(row, Code)]
    if not codes:
        return {}
    with contextlib.suppress(RequestError):
        drawn = json.loads(await _drawn(ports, "matrix", rows, 32))
        return dict(zip(codes, drawn, strict=True))
    return {}


async def _drawn(ports: Ports, form: str, rows: Sequence[Row], columns: int) -> bytes:
    from agent.core.slips.layout import Line

    if ports.offload is None:
        raise RequestError("slip.failed", "nothing can be drawn here")
    told = [
        ["line", row.text, row.strong]
        if isinstance(row, Line)
        else ["code", row.data.decode("utf-8", "replace")]
        for row in rows
    ]
    request = json.dumps({"form": form, "columns": columns, "rows": told}).encode()

    async def asked() -> AsyncIterator[bytes]:
        yield request

    answer = b""
    try:
        answers = ports.offload.run("slip_image", asked(), DRAW_S)
        async with contextlib.aclosing(answers) as lines:  # type: ignore[type-var]
            async for line in lines:
                answer = line
    except OffloadError as error:
        raise RequestError("slip.failed", str(error)) from None
    if answer.startswith(b"{"):
        name = json.loads(answer)["missing"]
        raise RequestError("slip.failed", f"{name} is not installed", hint=f"As an image {EXTRA}.")
    if not answer:
        raise RequestError("slip.failed", "the program gave no answer")
    return answer
