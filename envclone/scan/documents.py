"""Columns of text whose values are JSON documents: what stands at their paths."""

from __future__ import annotations

import json
from collections.abc import Sequence

from envclone.masking.jsontext import leaves
from envclone.masking.shown import general
from envclone.scan.found import Sample

__all__ = ["REST", "are_documents", "paths_in"]

REST = "$.**"
"""The path of whatever no other rule names."""
_MOST = 60
"""Paths of documents that are looked at by themselves; those with more have keys that are data."""


def are_documents(texts: Sequence[str]) -> bool:
    """Whether each of these is an object or a list in JSON: a rule with paths fits no other text."""
    return bool(texts) and all(map(_is_document, texts))


def paths_in(texts: Sequence[str]) -> dict[str, Sample]:
    """The strings of documents by their path; nothing when there are too many paths."""
    found: dict[str, list[str]] = {}
    for text in texts:
        for leaf in leaves(text):
            if leaf.kind == "string":
                found.setdefault(general(leaf.path), []).append(leaf.value)
    return {path: Sample(values) for path, values in found.items()} if len(found) <= _MOST else {}


def _is_document(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False
