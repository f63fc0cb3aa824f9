"""`python -m tests.cards.speed`: what the worst bodies of 256 KiB cost at the border.

Whatever is looked at there holds up the loop, and with it every other payment: aim for 100 ms.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator

from agent.wire.problem import RequestError
from agent.wire.submit import decode_submission
from tests.cards.rig import SALE

BYTES = 262_144


def bodies() -> Iterator[tuple[str, bytes]]:
    """(name, request): each made to keep one part of the check busy."""
    draw = random.Random(1)
    texts = {
        "single spaced digits": "4 ",
        "prefixes everywhere": "6 0 ",
        "runs of 14 digits": "".join(f"2026{draw.randrange(10**10):010}\n" for _ in range(20_000)),
        "twelve, then a letter": "1 2 3 4 5 6 7 8 9 0 1 2 x ",
        "percent codes": "%34",
        "hexadecimal": "ab",
        "bytes in hexadecimal": "ab ",
        "chip data": "5A0100" * 20 + "\n",
        "other chip data": "9F3600" * 20 + "\n",
        "base64": "QUJD",
        "words of base64": "QUJDQUJDQUJDQUJDQUJD ",
        "labels": "pan= ",
        "beginnings of labels": "p:",
        "beginnings of tracks": "%B",
        "tracks cut short": ";411111111111=251",
        "UUIDs": "f47ac10b-58cc-4372-a567-0e02b2c3d479 ",
        "full-width digits": "４ ",
        "XML fields": "<pan>*</pan>",
    }
    for name, text in texts.items():
        yield name, _request((text * (BYTES // len(text) + 1)).encode()[:BYTES], "text/plain")
    documents: dict[str, object] = {
        "JSON numbers": [1] * (BYTES // 3 - 9),
        "JSON lists": [[1]] * (BYTES // 5 - 9),
        "JSON objects": [{"a": 1}] * (BYTES // 10 - 9),
        "JSON names": {f"n{n}": 1 for n in range(BYTES // 12 - 2000)},
        "JSON strings": ["ab"] * (BYTES // 6 - 9),
        "JSON masked numbers": [{"pan": "4111**"}] * (BYTES // 19 - 9),
    }
    for name, document in documents.items():
        yield name, _request(json.dumps(document).encode(), "application/json")
    for name, extra in (
        ("fields nobody knows", ["20261102123456"] * (BYTES // 19)),
        ("names nobody knows", {f"n{n}": 1 for n in range(BYTES // 12)}),
    ):
        yield name, json.dumps({**SALE, "x": extra}).encode()


def _request(body: bytes, content_type: str) -> bytes:
    payload = {"content_type": content_type, "text": body.decode("utf-8", "ignore")}
    return json.dumps({**SALE, "payload": payload}).encode()


def main() -> None:
    worst = 0.0
    for name, request in bodies():
        best_ms = min(_once_ms(request) for _ in range(5))
        worst = max(worst, best_ms)
        print(f"{name:24} {len(request):8,} bytes {best_ms:7.1f} ms")
    print(f"{'worst':24} {worst:22.1f} ms")


def _once_ms(request: bytes) -> float:
    started = time.process_time()
    try:
        decode_submission(request, ("main",))
    except RequestError as error:
        if error.code == "card.clear_data":
            raise  # it ended early: such a body measures nothing
    return (time.process_time() - started) * 1000


if __name__ == "__main__":
    main()
