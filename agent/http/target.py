"""Taking a request target apart: `/v1/x%20y?limit=3` to a path and its query.

Strict on purpose: what can be read in two ways (an escaped slash, a name given twice, bytes that
are not UTF-8) is refused instead of guessed. Called by the server's intake only.
"""

from __future__ import annotations

from agent.http.refusal import malformed


def split_target(target: bytes) -> tuple[str, dict[str, str]]:
    """Path (decoded) and query of an origin-form target; raises Refusal."""
    if not target.startswith(b"/"):
        # Absolute form is for proxies; accepting it would let it contradict Host.
        raise malformed("The request target must be a path starting with a slash.")
    raw_path, _, raw_query = target.partition(b"?")
    if b"#" in target:
        raise malformed("The request target has a fragment.")
    if b"%2f" in raw_path.lower():
        raise malformed("The path has an escaped slash.")
    query: dict[str, str] = {}
    for pair in raw_query.split(b"&"):
        if not pair:
            continue
        raw_name, _, raw_value = pair.partition(b"=")
        name = _decoded(raw_name.replace(b"+", b" "))
        if name in query:
            raise malformed("A query parameter is given twice.")
        query[name] = _decoded(raw_value.replace(b"+", b" "))
    return _decoded(raw_path), query


def _decoded(raw: bytes) -> str:
    if b"%" in raw:
        first, *rest = raw.split(b"%")
        parts = [first]
        for piece in rest:
            try:
                # int() would take signs and blanks; bytes.fromhex skips blanks.
                if not piece[:2].isalnum() or len(piece) < 2:
                    raise ValueError
                parts.append(bytes.fromhex(piece[:2].decode("ascii")))
            except ValueError:
                raise malformed("The request target has a broken percent escape.") from None
            parts.append(piece[2:])
        raw = b"".join(parts)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise malformed("The request target is not UTF-8.") from None
    if any(letter < " " or letter == "\x7f" for letter in text):
        raise malformed("The request target has a control character.")
    return text
