"""Images of slips."""

from __future__ import annotations

import base64
import io
import json
import sys

import pytest
from PIL import Image

from agent.offloaded.slip_image import HEIGHT, answer, matrix, png


def test_a_character_without_a_glyph_is_a_box() -> None:
    """Something visible stands where nothing can be drawn: an edge of dots, white inside."""
    image = Image.open(io.BytesIO(png([["line", "龘", False]], 32))).convert("1")
    dark = [
        (x, y) for x in range(image.width) for y in range(image.height)
        if image.getpixel((x, y)) == 0
    ]  # fmt: skip
    left, right = min(x for x, _ in dark), max(x for x, _ in dark)
    top, bottom = min(y for _, y in dark), max(y for _, y in dark)
    assert bottom - top > HEIGHT // 2
    assert image.getpixel(((left + right) // 2, (top + bottom) // 2)) != 0


def test_the_code_in_the_image_is_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Module by module, the image shows what the encoder of codes gives for the same words."""
    words = "PA1;d=T-0001;t=20261122T090507Z;c=00000000"
    request = json.dumps({"form": "png", "columns": 32, "rows": [["code", words]]}).encode()
    (told,) = answer([request])
    image = Image.open(io.BytesIO(base64.b64decode(told))).convert("1")
    box = image.convert("L").point(lambda dot: 255 - dot).getbbox()
    assert box is not None
    modules = matrix(words.encode())
    scale = (box[2] - box[0]) / len(modules)
    for y, row in enumerate(modules):
        for x, dark in enumerate(row):
            at = (box[0] + int((x + 0.5) * scale), box[1] + int((y + 0.5) * scale))
            assert (image.getpixel(at) == 0) is dark
    (told,) = answer([request.replace(b'"png"', b'"matrix"')])
    assert json.loads(told) == [modules]


def test_without_the_extra_it_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback: the module that is not installed."""
    monkeypatch.setitem(sys.modules, "segno", None)
    request = json.dumps({"form": "png", "columns": 32, "rows": [["code", "x"]]}).encode()
    (told,) = answer([request])
    assert json.loads(told) == {"missing": "segno"}
