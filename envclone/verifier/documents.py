"""Where in a JSON document a word stands: the kept leaves of it, each with its path."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from envclone.masking.jsonpaths import PathRules
from envclone.masking.jsonscan import render
from envclone.masking.shown import shown_path
from envclone.models import FieldRule
from envclone.verifier.loose import text_of
from envclone.verifier.search import Hit

__all__ = ["Documents"]


class Documents:
    """The documents of one field under its rule."""

    def __init__(self, rule: FieldRule) -> None:
        self._rules = PathRules(rule.json)
        self._masked = rule.domain != "keep"
        self._kept: dict[tuple[str, ...], str] = {}

    def places(self, value: Any, hits: Sequence[Hit], text: bytes) -> Iterator[tuple[str, bytes, list[Hit]]]:
        """Per kept leaf that holds some of the hits' words: its path as it may be shown, its text, and the hits in it.

        `text` is the document as it was searched, where the hits have their places.
        """
        words = {text[hit.start : hit.end]: hit.original for hit in hits}
        try:
            document = json.loads(value) if isinstance(value, str) else value
        except ValueError:
            return
        for path, leaf in _leaves(document, ()):
            if not (shown := self._path(path)):
                continue
            folded = text_of(leaf)
            found = [hit for word, number in words.items() for hit in _within(folded, word, number)]
            if found:
                yield shown, folded, found

    def _path(self, path: tuple[str, ...]) -> str:
        """A kept leaf's path; '' for a masked one."""
        found = self._kept.get(path)
        if found is None:
            decided = self._rules.decide(path)
            masked = self._masked if decided is None else decided.domain != "keep"
            found = self._kept[path] = "" if masked else shown_path(render(path))
        return found


def _within(text: bytes, word: bytes, number: int) -> Iterator[Hit]:
    """A word's first place in a text where no letter or digit goes on beside it."""
    start = text.find(word)
    while start >= 0:
        end = start + len(word)
        if not (text[max(0, start - 1) : start].isalnum() or text[end : end + 1].isalnum()):
            yield Hit(number, start, end)
            return
        start = text.find(word, start + 1)


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, (*path, f".{key}"))
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, (*path, "[*]"))
    elif isinstance(value, str):
        yield path, value
