"""E-mail addresses, masked as `email` defines it."""

from __future__ import annotations

from typing import Any

import numpy as np

from envclone.compiled import lean
from envclone.masking.kernels.names import mask_span, sample, scratch
from envclone.masking.kernels.shapes import DONE, ODD, TODO, empty, span, values_of

__all__ = ["mask_emails", "warm"]

_A, _Z, _0, _9, _CASE, _ASCII, _AT, _DOT, _SPACE = 97, 122, 48, 57, 32, 128, 64, 46, 32
_STOP = np.zeros(_ASCII, np.bool_)
_STOP[[*b'\t\n\v\f\r\x1c\x1d\x1e\x1f @<>,;:"()[]']] = True
"""What ends a host."""
_SECOND = np.array(
    [int.from_bytes(label, "little") for label in (b"ac", b"co", b"com", b"edu", b"gob", b"gov", b"net", b"org")],
    np.uint64,
)
_LONGEST_SECOND = 3
_STEPS = 1000


@lean
def _is_letter(char: Any) -> Any:
    return _A <= np.int64(char) | _CASE <= _Z


@lean
def _is_maskable(char: Any) -> Any:
    return _is_letter(char) or _0 <= np.int64(char) <= _9


@lean
def _has_maskable(text: Any, start: Any, stop: Any) -> Any:
    for i in range(start, stop):  # noqa: SIM110  numba compiles no any()
        if _is_maskable(text[i]):
            return True
    return False


@lean
def _is_second(text: Any, start: Any, stop: Any) -> Any:
    """Whether a label is one under which countries register."""
    if stop - start > _LONGEST_SECOND:
        return False
    word = np.uint64(0)
    for i in range(stop - start):
        low = np.uint64(np.int64(text[start + i]) | _CASE)
        if not _is_letter(text[start + i]):
            return False
        word |= low << np.uint64(8 * i)
    for i in range(_SECOND.shape[0]):  # noqa: SIM110
        if word == _SECOND[i]:
            return True
    return False


@lean
def _dot_before(text: Any, start: Any, stop: Any) -> Any:
    """The place of the last dot between two places, or one before the first."""
    p = stop - 1
    while p >= start and text[p] != _DOT:
        p -= 1
    return p


@lean
def _host(source: Any, start: Any, stop: Any, out: Any, room: Any, names: Any, domains: Any) -> Any:
    end = stop
    while end > start and not _is_maskable(source[end - 1]):
        end -= 1
    top = _dot_before(source, start, end)
    letters = end - top > 2
    for i in range(top + 1, end):
        letters = letters and _is_letter(source[i])
    if top < start or not letters:
        return mask_span(source, start, end, out, room, names, domains)
    second = _dot_before(source, start, top)
    if not _has_maskable(source, second + 1, top):
        return mask_span(source, start, end, out, room, names, domains)
    if second < start or end - top != 3:
        return mask_span(source, start, top, out, room, names, domains)
    third = _dot_before(source, start, second)
    if not _has_maskable(source, third + 1, second):
        return mask_span(source, start, top, out, room, names, domains)
    state = mask_span(source, start, second, out, room, names, domains)
    if state != DONE or _is_second(source, second + 1, top):
        return state
    state = mask_span(source, second + 1, top, out, room, names, domains)
    for _ in range(_STEPS):
        if state != DONE or not _is_second(out, second + 1, top):
            return state
        state = mask_span(out, second + 1, top, out, room, names, domains)
    return ODD


@lean
def _address(source: Any, start: Any, stop: Any, out: Any, room: Any, names: Any, domains: Any) -> Any:
    at: Any = np.int64(-1)
    for i in range(start, stop):
        if source[i] >= _ASCII:
            return ODD
        if source[i] == _AT:
            if at >= 0:
                return ODD
            at = i
    if at < 0:
        return mask_span(source, start, stop, out, room, names, domains)
    state = mask_span(source, start, at, out, room, names, domains)
    end = at + 1
    while end < stop and not _STOP[source[end]]:
        end += 1
    if state == DONE:
        state = _host(source, at + 1, end, out, room, names, domains)
    if state == DONE:
        state = mask_span(source, end, stop, out, room, names, domains)
    return state


@lean
def mask_emails(values: Any, room: Any, names: Any, domains: Any) -> Any:
    """Mask values as addresses; those with several are left."""
    for i in range(values.states.shape[0]):
        if values.states[i] == TODO:
            start, stop = span(values, i)
            values.states[i] = _address(values.source, start, stop, values.out, room, names, domains)
    return 0


def warm() -> None:
    """Run every kernel of this room once."""
    mask_emails(values_of(b"jane@x.co.uk\x00doe@doe.org"), scratch(), sample(), empty())
