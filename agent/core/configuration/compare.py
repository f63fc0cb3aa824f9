"""Settings as issued against settings as found: what differs, what is not told, what is unclear.

Every source of a setting is compared by itself, so a finding names whose word is wrong. Not told is
not a difference; neither is a value that cannot be read. Secrets never leave this file: a finding
has a short keyed digest of each instead. Pure. Called by `agent.watch.configuration`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field

from agent.core.configuration.causes import CODES, Kind
from agent.core.configuration.values import Canonical, Raw, Unit, canonical, same, shown, text_of
from agent.record import dataclass

#: Characters of a value in a finding.
SHOWN_CHARS = 64
#: A secret, or rather what stands for it.
Digest = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """One setting as it was issued. Several values: any of them is right."""

    name: str
    values: tuple[Raw, ...]
    kind: Kind = Kind.TEXT
    code: str = "config.not_activated"
    currency: str = ""
    secret: bool = False
    #: `values` are SHA-256 of the value, in hexadecimal: the profile need not hold secrets.
    hashed: bool = False
    required: bool = False  #: it is a finding when nobody tells it


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One setting as one source tells it."""

    name: str
    value: Raw
    source: str
    unit: Unit = "minor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as it should be. `args` are for the texts of its cause."""

    code: str
    setting: str
    line: str  #: one sentence of evidence
    args: Mapping[str, str] = field(default_factory=dict)

    @property
    def rank(self) -> tuple[int, str, str]:
        """Worst first."""
        return CODES.index(self.code), self.setting, self.line


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What came of it."""

    findings: tuple[Finding, ...] = ()
    same: int = 0
    not_told: tuple[str, ...] = ()
    unclear: tuple[str, ...] = ()  #: told, and not to be read as what it is
    not_issued: int = 0  #: told, and not in the profile


def compare(
    issued: Iterable[Issued],
    told: Sequence[Told],
    *,
    digest: Digest,
    sha256: Digest,
) -> Compared:
    """Every issued setting against everything told of it."""
    findings: list[Finding] = []
    not_told: list[str] = []
    unclear: list[str] = []
    right = 0
    names: set[str] = set()
    for one in issued:
        names.add(one.name)
        words = [word for word in told if word.name == one.name]
        if not words:
            not_told.append(one.name)
            if one.required:
                findings.append(_missing(one, "told by nobody"))
            continue
        for word in words:
            verdict = _judged(one, word, digest, sha256)
            if verdict is None:
                unclear.append(f"{one.name} ({word.source})")
            elif isinstance(verdict, Finding):
                findings.append(verdict)
            else:
                right += 1
    return Compared(
        findings=tuple(sorted(findings, key=lambda finding: finding.rank)),
        same=right,
        not_told=tuple(not_told),
        unclear=tuple(unclear),
        not_issued=len({word.name for word in told} - names),
    )


def _judged(one: Issued, word: Told, digest: Digest, sha256: Digest) -> Finding | bool | None:
    """A finding, True where it is right, None where nobody can tell."""
    text = text_of(word.value)
    if one.hashed:
        if sha256(text) in one.values:
            return True
        return _differs(one, word, _hidden(one.values, digest), f"#{digest(sha256(text))}")
    found = canonical(word.value, one.kind, currency=one.currency, unit=word.unit)
    if _blank(one, word, text):
        return _missing(one, f"empty in {word.source}")
    if found is None:
        return None
    wanted = [(raw, canonical(raw, one.kind, currency=one.currency)) for raw in one.values]
    known = [(raw, value) for raw, value in wanted if value is not None]
    if not known:
        return None
    if any(same(raw, word.value, one.kind, value, found) for raw, value in known):
        return True
    if one.secret:
        expected = " / ".join(f"#{digest(text_of(raw))}" for raw, _ in known)
        return _differs(one, word, expected, f"#{digest(text)}")
    expected = " / ".join(_shown(value, one) for _, value in known)
    return _differs(one, word, expected, _shown(found, one))


def _blank(one: Issued, word: Told, text: str) -> bool:
    """Whether a setting that has a value was left empty: set-up unfinished, not set up wrongly."""
    if one.kind in (Kind.SET, Kind.HOST) or isinstance(word.value, bool):
        return False
    if one.code == "config.merchant_mismatch" and text and not text.strip("0"):
        return True
    return not text and not any(text_of(raw) == "" for raw in one.values)


def _differs(one: Issued, word: Told, expected: str, found: str) -> Finding:
    line = f"expected {expected}, found {found} ({word.source})"
    args = {
        "setting": one.name,
        "expected": expected,
        "found": found,
        "source": word.source,
        "gap": f"{one.name}: {line}",
    }
    if one.currency:
        args["currency"] = one.currency
    return Finding(code=one.code, setting=one.name, line=line, args=args)


def _missing(one: Issued, how: str) -> Finding:
    args = {"gap": f"{one.name} ({how})", "setting": one.name}
    return Finding(code="config.not_activated", setting=one.name, line=how, args=args)


def _hidden(values: Iterable[Raw], digest: Digest) -> str:
    # Not a piece of the hash itself: of a short password that is the password.
    return " / ".join(f"#{digest(text_of(value))}" for value in values)


def _shown(value: Canonical, one: Issued) -> str:
    text = shown(value, one.kind, one.currency)
    clean = "".join(letter if letter.isprintable() else "?" for letter in text)
    return clean if len(clean) <= SHOWN_CHARS else clean[: SHOWN_CHARS - 1] + "…"
