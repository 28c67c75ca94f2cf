"""Paths of rules into JSON: which steps one has, and which of several rules decides a leaf.

`$.user.email`, `$.contacts[*].phone`, `$['odd key']`; `*` for any key, `**` for anything at or below, `$..email` for a
key at any depth. The most specific path that matches a leaf decides: one without `**` before one with it, then the one
with fewer `*`, then the longer one. A `~` at the end means the keys of the members that the path before it means:
`$.shares.*~`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from envclone.errors import ConfigError
from envclone.masking.jsonscan import Path
from envclone.masking.outline import shape
from envclone.models import JsonRule

__all__ = ["KEYS", "PathRules", "parse_path"]

KEYS = "~"
"""The last step of a path that means keys."""

_STEP = re.compile(
    r"""\.\.(?=[^.\[])            # any depth, then a key
      | \.(?P<deep>\*\*)(?=[.\[]|$)
      | \[\*\*\]
      | (?:\.|(?<=\.\.))(?P<key>[^.\[\]]+)
      | \[(?P<quote>['"])(?P<quoted>(?:\\.|(?!(?P=quote)).)*)(?P=quote)\]
      | \[(?P<element>\*?)\]""",
    re.VERBOSE | re.DOTALL,
)


@lru_cache(maxsize=4096)
def parse_path(text: str) -> Path:
    """A path's steps: `.key`, `.*`, `[*]` and `**`, at the end `~`. Raises ConfigError when it is none."""
    if len(text) > 2 and text.endswith(KEYS):
        below = parse_path(text.removesuffix(KEYS))
        if below[-1] in ("[*]", KEYS):
            raise _no_path(text)  # elements have no keys
        return (*below, KEYS)
    steps: list[str] = []
    position = 1
    if not text.startswith("$"):
        raise _no_path(text)
    while position < len(text):
        match = _STEP.match(text, position)
        if match is None:
            raise _no_path(text)
        position = match.end()
        if match["key"] is not None:
            steps.append("." + match["key"])
        elif match["quoted"] is not None:
            steps.append("." + re.sub(r"\\(.)", r"\1", match["quoted"], flags=re.DOTALL))
        elif match["element"] is not None:
            steps.append("[*]")
        else:
            steps.append("**")
    return tuple(steps)


_REMEMBERED = 1 << 14


class PathRules:
    """Which rule decides a path, most specific first."""

    def __init__(self, rules: Sequence[JsonRule]) -> None:
        parsed = [(parse_path(rule.path), rule) for rule in rules]
        parsed.sort(key=lambda pair: _specificity(pair[0]))
        self._ordered = [pair for pair in parsed if pair[0][-1:] != (KEYS,)]
        self._of_keys = [(path[:-1], rule) for path, rule in parsed if path[-1:] == (KEYS,)]
        self._decided: dict[Path, JsonRule | None] = {}
        self._decided_keys: dict[Path, JsonRule | None] = {}

    @property
    def keyed(self) -> bool:
        """Whether any rule is about keys."""
        return bool(self._of_keys)

    def decide_key(self, path: Path) -> JsonRule | None:
        """The rule for the key of the member at a path, or None when it stays."""
        if path not in self._decided_keys:
            if len(self._decided_keys) > _REMEMBERED:
                self._decided_keys.clear()
            self._decided_keys[path] = next((rule for pattern, rule in self._of_keys if _matches(pattern, path)), None)
        return self._decided_keys[path]

    def matching(self, path: Path) -> list[JsonRule]:
        """Every rule that matches a path, most specific first."""
        return [rule for pattern, rule in self._ordered if _matches(pattern, path)]

    def decide(self, path: Path) -> JsonRule | None:
        """The rule for a path, or None when no rule covers it."""
        if path not in self._decided:
            if len(self._decided) > _REMEMBERED:  # documents whose keys are persons have no end of paths
                self._decided.clear()
            self._decided[path] = next(iter(self.matching(path)), None)
        return self._decided[path]

    def rivals(self, path: Path) -> list[JsonRule]:
        """Rules that are equally specific for a path and name different domains."""
        found = self.matching(path)
        rank = [_specificity(parse_path(rule.path)) for rule in found]
        best = [rule for rule, its_rank in zip(found, rank, strict=True) if its_rank == rank[0]]
        return best if len({rule.domain for rule in best}) > 1 else []


def _specificity(pattern: Path) -> tuple[int, int, int]:
    deep = sum(1 for step in pattern if step == "**")
    wild = sum(1 for step in pattern if step == ".*")
    return min(deep, 1), deep + wild, deep + wild - len(pattern)


def _matches(pattern: Path, path: Path) -> bool:
    reached = {0}
    for step in (*path, None):
        for i in sorted(reached):  # `**` stands for no step too
            while i < len(pattern) and pattern[i] == "**":
                i += 1
                reached.add(i)
        if step is None:
            return len(pattern) in reached
        reached = {
            i if pattern[i] == "**" else i + 1
            for i in reached
            if i < len(pattern) and (pattern[i] in ("**", step) or (pattern[i] == ".*" and step != "[*]"))
        }
    return False


def _no_path(text: str) -> ConfigError:
    return ConfigError(f"'{shape(text)}' is not a JSON path", hint="write it as $.key, $.list[*].key or $.key.**")
