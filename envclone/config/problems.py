"""What is wrong with a stack file: findings with the keys that lead to them, in words, without any secret."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

__all__ = ["WORD", "Finding", "Findings", "Keys", "below", "did_you_mean", "dotted", "one_of", "printable", "quoted"]

Keys = tuple[str | int, ...]
"""The way to a place in the stack file: mapping keys and list indexes, from the root."""

Finding = tuple[Keys, str]
"""A place, and what is wrong there."""

WORD = re.compile(r"[A-Za-z_]{1,24}")
"""What an unknown key of a `source` may look like to be shown: anything else may be a secret in the wrong place."""

_MANY = 500
"""Above so many candidates no similar name is looked for: comparing them all would take longer than it helps."""
_SECRET = re.compile(r"(://|(?:password|passwd|pwd|secret|token|api_?key)\s*[=:]\s*).*", re.IGNORECASE | re.DOTALL)
"""What may follow in a name that is really a connection string in the wrong place."""


class Findings(ValueError):
    """Raised by a model's validator: several findings, each below the model's own place."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("; ".join(f"{dotted(keys)}: {what}" if keys else what for keys, what in self.findings))


def quoted(name: object, *, limit: int = 60) -> str:
    """A name from the file in single quotes, on one line, cut to `limit` characters."""
    return f"'{_plain(str(name), limit)}'"


def dotted(keys: Keys) -> str:
    """The keys as one path: `environments.prod.services.api.ports[0]`."""
    path = ""
    for key in keys:
        if isinstance(key, int):
            path += f"[{key}]"
        else:
            path += ("." if path else "") + _plain(key, 80)
    return path


def printable(text: str) -> str:
    """The text on one line, without what would move a terminal's cursor or turn its letters round."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text
    )


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """`, did you mean 'x'?` when one of the known names is similar, else an empty string."""
    candidates = list(known)
    if not isinstance(name, str) or len(name) > 60 or len(candidates) > _MANY:
        return ""
    import difflib  # only when something is wrong

    lowered = {candidate.lower(): candidate for candidate in candidates}
    close = difflib.get_close_matches(name.lower(), lowered, n=1)
    return f", did you mean {quoted(lowered[close[0]])}?" if close else ""


def one_of(names: Sequence[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _plain(name: str, limit: int) -> str:
    shown = _SECRET.sub(r"\1…", name)
    cut = shown if len(shown) <= limit else shown[: limit - 1] + "…"
    return printable(cut)


def below(keys: Keys, findings: Iterable[Finding]) -> Iterator[Finding]:
    """The same findings, seen from further up."""
    return ((keys + own, what) for own, what in findings)
