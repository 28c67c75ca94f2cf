"""Permutations of digits by shape: a table from a shape's number to the parameters of its domain.

A kernel that meets a shape for the first time notes it as wanted and leaves the value; Python adds the shape, and the
kernel runs again over what is left.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from envclone.compiled import lean
from envclone.masking.kernels.feistel import cycle

__all__ = ["DONE", "FEISTEL", "ODD", "TODO", "UNFIT", "Domains", "Values"]
__all__ += ["domain", "empty", "image", "permute", "span", "values_of", "wish"]

DONE, ODD, TODO = 0, 1, 2
"""What became of a value: masked; one for the mask in Python; not yet, for want of a shape."""
FEISTEL, UNFIT = np.uint64(1 << 40), np.uint64(1 << 41)
"""In the seventh word of a row: the domain is not a table, or too large for kernels. Else the table begins there."""
_HASH, _TOP = np.uint64(0x9E3779B97F4A7C15), np.uint64(40)
_0 = np.uint64(0)


class Domains(NamedTuple):
    """`keys` is an open table of the numbers of shapes, `places` are their rows; `rows` have the words of `feistel`,
    the beginning of the table in `small`, and the size when one word holds it; `wanted` and `count` are wishes."""

    keys: Any
    places: Any
    rows: Any
    small: Any
    wanted: Any
    count: Any


class Values(NamedTuple):
    """A batch: in `source` the values apart by a zero, `out` as large for what they become, what became of each in
    `states`; value `i` stands between the zeros at `zeros[i]` and `zeros[i + 1]`, of which the first and the last are
    one before and one behind the source."""

    source: Any
    out: Any
    states: Any
    zeros: Any


def values_of(text: bytes) -> Values:
    """A batch of values apart by a zero, of which nothing is done yet."""
    source = np.frombuffer(text, np.uint8)
    zeros = np.concatenate((np.full(1, -1), np.flatnonzero(source == 0), np.full(1, len(source)))).astype(np.int64)
    return Values(source, source.copy(), np.full(len(zeros) - 1, TODO, np.uint8), zeros)


@lean
def span(values: Any, i: Any) -> Any:
    """Where a value begins and ends."""
    return values.zeros[i] + 1, min(values.zeros[i + 1], values.source.shape[0], values.out.shape[0])


def empty() -> Domains:
    """No domains yet."""
    return Domains(
        keys=np.zeros(256, np.uint64),
        places=np.full(256, -1, np.int32),
        rows=np.zeros((128, 8), np.uint64),
        small=np.zeros(1 << 12, np.uint16),
        wanted=np.zeros(256, np.uint64),
        count=np.zeros(1, np.int64),
    )


@lean
def domain(key: Any, domains: Any) -> Any:
    """The row of a shape, or -1."""
    mask = domains.keys.shape[0] - 1
    at = np.int64((key * _HASH) >> _TOP) & mask
    for _ in range(domains.keys.shape[0]):
        row = domains.places[at]
        if row < 0:
            return np.int64(-1)
        if domains.keys[at] == key:
            return np.int64(row)
        at = (at + 1) & mask
    return np.int64(-1)


@lean
def wish(key: Any, domains: Any) -> Any:
    """Note a shape as wanted; what finds no room is noted when the kernel runs again."""
    count = domains.count[0]
    if count < domains.wanted.shape[0] and (count == 0 or domains.wanted[count - 1] != key):
        domains.wanted[count] = key
        domains.count[0] = count + 1
    return TODO


@lean
def image(left: Any, right: Any, row: Any, domains: Any) -> Any:
    """The image of a number, given and returned as halves; one of a small domain has a left half of 0."""
    words = domains.rows[row]
    if words[6] != FEISTEL:
        at = words[6] + right
        return (_0, np.uint64(domains.small[np.int64(at)])) if at < np.uint64(domains.small.shape[0]) else (left, right)
    return cycle(left, right, words)


@lean
def permute(digits: Any, radices: Any, size: Any, row: Any, domains: Any) -> Any:
    """Replace the digits of a number by those of its image, most significant first; each is below its radix."""
    words = domains.rows[row]
    if words[6] == UNFIT:
        return ODD
    b = words[1]
    if words[7]:
        x = _0
        for i in range(size):
            x = x * radices[i] + digits[i]
        left, right = image(x // b, x % b, row, domains)
        x = left * b + right
        for i in range(size - 1, -1, -1):
            rest = x // radices[i]
            digits[i] = x - rest * radices[i]
            x = rest
        return DONE
    left, right = _0, _0
    for i in range(size):
        right = right * radices[i] + digits[i]
        carry = right // b
        right -= carry * b
        left = left * radices[i] + carry
    left, right = image(left, right, row, domains)
    for i in range(size - 1, -1, -1):
        rest = left // radices[i]
        right += (left - rest * radices[i]) * b
        left = rest
        rest = right // radices[i]
        digits[i] = right - rest * radices[i]
        right = rest
    return DONE
