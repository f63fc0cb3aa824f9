"""The catalogue's pages are the code's."""

from __future__ import annotations

import pytest

from tests.docs.causes import DOCUMENTS, Lang, page


@pytest.mark.parametrize("lang", sorted(DOCUMENTS))
def test_the_page_is_current(lang: Lang) -> None:
    """Run python -m tests.docs.causes after changing a cause or its guidance."""
    assert DOCUMENTS[lang].read_text("utf-8") == page(lang)
