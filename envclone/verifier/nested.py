"""What lies inside what: an identity that holds another one is told once, a name inside a word is none."""

from __future__ import annotations

from collections.abc import Mapping

from envclone.verifier.loose import Found
from envclone.verifier.search import Hit

__all__ = ["holds", "outside", "whole_word"]


def holds(outer: Hit, inner: Hit) -> bool:
    """Whether a hit lies inside a longer one; of two that cover the same the one with the smaller number counts."""
    if (outer.start, outer.end) == (inner.start, inner.end):
        return outer.original < inner.original
    return outer.start <= inner.start and inner.end <= outer.end


def outside(hits: dict[int, list[Found]], told: Mapping[int, list[Found]]) -> dict[int, list[Found]]:
    """Hits that lie inside nothing that was reported already."""
    if not told:
        return hits
    return {
        value: rest
        for value, those in hits.items()
        if (
            rest := [
                one
                for one in those
                if not any(o.hit.start <= one.hit.start and one.hit.end <= o.hit.end for o in told.get(value, ()))
            ]
        )
    }


def whole_word(text: bytes, hit: Hit) -> bool:
    """Whether no letter beyond ASCII goes on before or behind, in scripts that put spaces between words."""
    first, last = text[hit.start], text[hit.end - 1]
    before = text[hit.start - 1] if hit.start else 0xFF
    after = text[hit.end] if hit.end < len(text) else 0xFF
    if (first < 0x80 and 0x80 <= before < 0xFF) or (last < 0x80 and 0x80 <= after < 0xFF):
        return False
    ascii_letter = bytes((before,)).isalnum() or bytes((after,)).isalnum()
    return not (first >= 0xC0 and first < 0xE0 and ascii_letter)
