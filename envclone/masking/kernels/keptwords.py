"""Names with words among them that stay, as `kept` defines their mask."""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import lean
from envclone.masking.kernels.names import mask_span, sample, scratch
from envclone.masking.kernels.shapes import DONE, ODD, TODO, empty, span, values_of
from envclone.masking.kernels.words import LONGEST, find

__all__ = ["mask_kept", "warm"]

_A, _Z, _0, _9, _CASE, _ASCII = 97, 122, 48, 57, 32, 128
_NONE, _8 = np.uint64(0), np.uint64(8)
_STEPS = 1000


@lean
def _is_letter(char: Any) -> Any:
    return _A <= (np.int64(char) | _CASE) <= _Z


@lean
def _is_digit(char: Any) -> Any:
    return _0 <= np.int64(char) <= _9


@lean
def _stays(text: Any, start: Any, stop: Any, kept: Any) -> Any:
    """Whether a word is one that stays."""
    if stop - start > LONGEST:
        return False
    first, second = _NONE, _NONE
    for i in range(stop - start):
        low = np.uint64(np.int64(text[start + i]) | _CASE) << (_8 * np.uint64(i & 7))
        if i < 8:
            first |= low
        else:
            second |= low
    return find(first, second, kept) >= 0


@lean
def _word(source: Any, start: Any, stop: Any, out: Any, room: Any, names: Any, kept: Any, domains: Any) -> Any:
    """A word that does not stay becomes none that does."""
    if _stays(source, start, stop, kept):
        return DONE
    state = mask_span(source, start, stop, out, room, names, domains)
    for _ in range(_STEPS):
        if state != DONE or not _stays(out, start, stop, kept):
            return state
        state = mask_span(out, start, stop, out, room, names, domains)
    return ODD


@lean
def _number(source: Any, start: Any, stop: Any, out: Any, room: Any, names: Any, domains: Any) -> Any:
    """A number that does not begin with a zero becomes none that does."""
    state = mask_span(source, start, stop, out, room, names, domains)
    for _ in range(_STEPS):
        if state != DONE or source[start] == _0 or out[start] != _0:
            return state
        state = mask_span(out, start, stop, out, room, names, domains)
    return ODD


@lean
def _text(source: Any, start: Any, stop: Any, out: Any, room: Any, names: Any, kept: Any, domains: Any) -> Any:
    p = start
    while p < stop:
        q = p + 1
        state = DONE
        if _is_letter(source[p]):
            while q < stop and _is_letter(source[q]):
                q += 1
            state = _word(source, p, q, out, room, names, kept, domains)
        elif _is_digit(source[p]):
            while q < stop and _is_digit(source[q]):
                q += 1
            state = _number(source, p, q, out, room, names, domains)
        elif source[p] >= _ASCII:
            return ODD
        if state != DONE:
            return state
        p = q
    return DONE


@lean
def mask_kept(values: Any, room: Any, names: Any, kept: Any, domains: Any) -> Any:
    """Mask every word of values that is not kept, and every number."""
    for i in range(values.states.shape[0]):
        if values.states[i] == TODO:
            start, stop = span(values, i)
            values.states[i] = _text(values.source, start, stop, values.out, room, names, kept, domains)
    return 0


def warm() -> None:
    """Run every kernel of this room once."""
    mask_kept(values_of(b"jane street 12\x00doe"), scratch(), sample(), sample(), empty())
