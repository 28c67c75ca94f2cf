"""A match of a text is a part of the value where no index has its words."""

from __future__ import annotations

from typing import Any

import pytest

from envclone.stores.qdrant.unindexed import read_as_parts

INDEXED = frozenset(["text", "notes.text"])


def part(key: str, text: str) -> dict[str, Any]:
    return {"key": key, "match": {"substring": text}}


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({"key": "name", "match": {"text": "an"}}, part("name", "an")),
        ({"key": "name", "match": {"phrase": "an en"}}, part("name", "an en")),
        ({"key": "name", "match": {"text_any": "an  en"}}, {"should": [part("name", "an"), part("name", "en")]}),
        ({"key": "name", "match": {"text_any": " "}}, {"key": "name", "match": {"any": []}}),
        ({"key": "n", "match": {"text_any": "a"}, "range": {"gt": 1}},
         {"must": [{"key": "n", "range": {"gt": 1}}, {"should": [part("n", "a")]}]}),
        ({"key": "text", "match": {"text": "an"}}, None),
        ({"key": "notes[].text", "match": {"text_any": "an"}}, None),
        ({"key": "name", "match": {"value": "an"}}, None),
        ({"key": "name", "match": {"any": ["an"]}}, None),
        ({"has_id": [1]}, None),
        ({"must": {"nested": {"key": "notes", "filter": {"must": [{"key": "text", "match": {"text": "an"}}]}}}}, None),
        ({"must": [{"nested": {"key": "notes", "filter": {"must_not": {"key": "by", "match": {"text": "an"}}}}}]},
         {"must": [{"nested": {"key": "notes", "filter": {"must_not": part("by", "an")}}}]}),
        ({"sum": ["$score", {"mult": [2, {"key": "name", "match": {"text": "an"}}]}]},
         {"sum": ["$score", {"mult": [2, part("name", "an")]}]}),
    ],
)  # fmt: skip
def test_each_match(given: dict[str, Any], asked: dict[str, Any] | None) -> None:
    assert read_as_parts(given, INDEXED) == (asked or given)
