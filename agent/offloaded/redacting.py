"""Takes card numbers and secrets out of what goes into a support bundle, and counts them.

Two nets: the contents of the terminal's own secret files, in every form they are usually written
in, and patterns (PEM blocks, credentials in addresses and headers, values beside telling names).
Card numbers are found by `core.money.cards`. Where something is hidden in a form that cannot be
cut out, the whole line goes. It reads the secret files itself, so that no secret passes a pipe;
what it cannot read cannot be in what it is given either, or is caught by its form.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from agent.core.money import cards

CARD = "[card number removed]"
SECRET = "[secret removed]"
LINE = "[line removed: card number]"
#: A secret file is small; of a larger one the beginning is known.
SECRET_BYTES = 65_536
#: Shorter words are found everywhere, and a secret this short is none.
WORD_CHARS, WHOLE_CHARS = 12, 6

_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]+-----.*?(?:-----END [A-Z0-9 ]+-----|\Z)", re.DOTALL)
_BEARER = re.compile(r"(?i)\b(Bearer|Basic|Digest)[ ]+[A-Za-z0-9._~+/=-]{8,}")
_USERINFO = re.compile(r"(?<=://)[^/@\s\"']+@")
_NAMED = re.compile(
    r"(?i)((?:password|passwd|passphrase|secret|token|psk|api[_-]?key|private[_-]?key)"
    r"[\"']?\s*[=:]\s*)(?!\[secret|\[\]|\{|null|true|false)(\"[^\"]*\"|'[^']*'|[^\s,;\"']+)"
)
_NAMES = re.compile(r"(?i)(^|_)(password|passwd|passphrase|secret|token|psk|pin|private)$")
_RECOVERY = re.compile(r"posagent-recovery-secret-1 \S+")
_WORDS = re.compile(rf"[^\s\"'=:,;{{}}\[\]]{{{WORD_CHARS},}}")
#: Control characters have no business in text, and packed digits are made of them.
_CONTROL = {code: "?" for code in range(32) if code not in (9, 10)} | {0: None, 127: "?"}


class Redactor:
    """Knows this terminal's secrets, and how many of what it took out."""

    def __init__(self, secret_files: Iterable[Path]) -> None:
        self.cards = 0
        self.secrets = 0
        known: set[str] = set()
        for file in secret_files:
            known |= _forms(_read(file))
        longest = sorted(known, key=lambda form: (-len(form), form))
        self._known = re.compile("|".join(map(re.escape, longest))) if longest else None

    def text(self, given: str) -> str:
        """Lines of text without what must not leave."""
        text = given.translate(_CONTROL)
        text = self._without_secrets(text)
        if not cards.contains(text):
            return text
        return "\n".join(self._line(line) for line in text.split("\n"))

    def document(self, given: object) -> object:
        """The same for every name and value of a JSON document."""
        match given:
            case dict():
                return {
                    self.text(str(name)): self._named(str(name), value)
                    for name, value in given.items()
                }
            case list():
                return [self.document(one) for one in given]
            case str():
                return self.text(given)
            case bool() | None:
                return given
            case int() | float():
                clean = self.text(str(given))
                return given if clean == str(given) else clean
        return self.text(str(given))

    def _named(self, name: str, value: object) -> object:
        if isinstance(value, str) and value and _NAMES.search(name):
            self.secrets += 1
            return SECRET
        return self.document(value)

    def _without_secrets(self, text: str) -> str:
        for pattern, instead in (
            (_PEM, SECRET),
            (_RECOVERY, SECRET),
            (_BEARER, rf"\1 {SECRET}"),
            (_USERINFO, f"{SECRET}@"),
            (_NAMED, rf"\1{SECRET}"),
            (self._known, SECRET),
        ):
            if pattern is not None:
                text, count = pattern.subn(instead, text)
                self.secrets += count
        return text

    def _line(self, line: str) -> str:
        hits = cards.find(line)
        self.cards += len(hits)
        for hit in reversed(hits):
            line = line[: hit.start] + CARD + line[hit.end :]
        if cards.contains(line):
            self.cards += 1
            return LINE
        return line


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(SECRET_BYTES)
    except OSError:
        return b""


def _forms(content: bytes) -> set[str]:
    """What the content of a secret file looks like where somebody wrote it down."""
    whole = content.strip()
    if len(whole) < WHOLE_CHARS:
        return set()
    found: set[str] = set()
    for piece in {content, whole}:
        if len(piece) <= 4_096:
            found |= set(_coded(piece))
    text = whole.decode("utf-8", "replace")
    if "\ufffd" in text:
        return found
    found |= {text} if "\n" not in text else set()
    for word in _WORDS.findall(text):
        if not word.startswith("-----"):
            found |= {word, *(_coded(word.encode()) if len(word) <= 256 else ())}
    return found


def _coded(piece: bytes) -> Iterator[str]:
    yield piece.hex()
    yield piece.hex().upper()
    # Inside a longer text the ends may differ: what does not depend on the neighbours.
    for offset in range(3):
        inner = base64.b64encode(bytes(offset) + piece)
        core = inner[4 if offset else 0 : len(inner) - 4].decode()
        if len(core) >= WORD_CHARS:
            yield core
            yield core.translate(str.maketrans("+/", "-_"))
