"""How many bytes of a stored payload are masked, kept, or its own syntax.

A record is compressed as a whole, so that no byte of it is of one value alone: its bytes are shared out as the text's
are. What the values are was compared with production's, and searched, before.
"""

from __future__ import annotations

from typing import Any

from envclone.masking.jsonpaths import PathRules
from envclone.models import FieldRule, Values
from envclone.stores.qdrant import payloads
from envclone.stores.qdrant.account.gridstores import Shares

__all__ = ["PayloadReader"]


class PayloadReader:
    """Reads the payloads of one collection under its rule."""

    def __init__(self, rule: FieldRule | None) -> None:
        self._rules = PathRules(rule.json) if rule is not None and rule.json else None
        self._masked = rule is not None and rule.domain != "keep"
        self._decided: dict[payloads.Steps, bool] = {}

    def __call__(self, points: list[int], values: list[bytes]) -> tuple[list[Shares], list[Values]]:
        """The shares of each payload: syntax and keys, masked, kept."""
        return [self._shares(value) for value in values], []

    def _shares(self, value: bytes) -> Shares:
        sizes = [0, 0]
        for steps, leaf in payloads.leaves(payloads.parse(payloads.text(value))):
            sizes[self._is_masked(steps)] += _size(leaf)
        kept, masked = sizes
        return max(0, len(value) - masked - kept), masked, kept

    def _is_masked(self, steps: payloads.Steps) -> bool:
        found = self._decided.get(steps)
        if found is None:
            decided = self._rules.decide(steps) if self._rules is not None else None
            found = self._masked if decided is None else decided.domain != "keep"
            self._decided[steps] = found
        return found


def _size(leaf: Any) -> int:
    """About the bytes of a scalar in the text."""
    if isinstance(leaf, str):
        return len(leaf) if leaf.isascii() else len(leaf.encode("utf-8", "surrogatepass"))
    return len(repr(leaf))
