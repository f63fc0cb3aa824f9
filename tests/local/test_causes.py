"""The catalogue over the local API: one code in full, in both languages."""

from __future__ import annotations

from pathlib import Path

from tests.local.house import House, serve


def test_a_cause_in_full(tmp_path: Path) -> None:
    """Title, owner, step, reason and guidance; a code nobody knows is 404 with a hint."""

    async def test(house: House) -> None:
        status, told, _ = await house.ask("GET", "/v1/causes/printer.paper_out")
        assert status == 200
        assert (told["owner"], told["title"]["zh"]) == ("cashier", "打印机缺纸")
        assert told["guidance"]["now"]["zh"].startswith("按开盖键")
        assert told["guidance"]["give"] == ["model", "serial"]
        status, told, _ = await house.ask("GET", "/v1/causes/printer.bewitched")
        assert (status, told["code"]) == (404, "cause.unknown")

    serve(tmp_path, test)
