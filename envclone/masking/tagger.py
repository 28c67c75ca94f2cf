"""Persons whom no column names, told by a small model: a dictionary of words and the weights of some features.

It needs no language model: what a word is comes from lists, what stands beside it is looked at by a compiled loop
(`kernels/tagger`), and the weights were learned from labelled sentences (`tests/benchmarks/tagger_train.py`). The same
text has the same persons everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from envclone.compiled import available
from envclone.masking.closed import CLOSED, OF_PLACES
from envclone.masking.kernels import tagger as kernels
from envclone.masking.names import DICTIONARY
from envclone.masking.nets import WEIGHTS, WORDS, data
from envclone.masking.runs import Runs

__all__ = ["Told", "beside", "tagged", "told", "weights"]

_CLASS_BITS, _ENDING_BITS = 8, 13
_LONGEST_ENDING = 6
_GIVEN, _FAMILY = 8, 16
_KINDS = {"1": 1, "2": 2, "3": 3, "noun": kernels.NOUN, "place": kernels.PLACE, "org": kernels.ORG}
_MOST_WORDS = 25
_SEEN = 1 << 13


class Told(NamedTuple):
    """What is told of words, and of endings, by the word."""

    words: Mapping[str, int]
    endings: Mapping[str, int]


def tagged(text: str, runs: Runs) -> Any:
    """The persons in texts with NUL between them that the tagger sees: rows of their first and last words, in order."""
    what, shape, gap = seen(text, runs)
    if not len(what):
        return np.zeros((0, 2), np.int32)
    out = np.zeros((len(what) + 1, 2), np.int32)
    room, best = np.zeros(kernels.ROOM, np.int32), np.zeros((2, _MOST_WORDS), np.int32)
    found = out[: int(kernels.names(what, shape, gap, weights(), room, best, out))]
    return found[np.argsort(found[:, 0], kind="stable")]


def beside(starts: Any, stops: Any, found: Any, others: Any, runs: Runs, kind: int) -> Any:
    """Where the tagger's persons stand beside spans, which are sorted by their starts: a word in which something is
    known keeps what is known. `others` tells of each word whether alone it is none of the tagger's.

    Rows of where each begins, minus where it ends, and the number of their kind.
    """
    out = np.zeros((int((found[:, 1] - found[:, 0] + 1).sum()), 3), np.int64)
    places = np.asarray(runs.starts, np.int32), np.asarray(runs.ends, np.int32)
    return out[: int(kernels.spread(found, others, *places, starts, stops, kind, out))]


def seen(text: str, runs: Runs) -> tuple[Any, Any, Any]:
    """What each word is that is or stands near a name that may be, the shape of each, and what stands behind it (and
    in front of the first, as the last)."""
    starts, ends = np.asarray(runs.starts, np.int32), np.asarray(runs.ends, np.int32)
    count = len(starts)
    what, shape, gap = np.zeros(count, np.int32), np.zeros(count, np.uint8), np.zeros(count + 1, np.uint8)
    from envclone.masking.texts import cased_codes

    codes = cased_codes(text)
    classes, fold = _tables()
    kernels.shapes(codes, starts, ends, classes, shape, gap)
    if available():
        kernels.look_up(codes, starts, ends, fold, *_table(), shape, what)
    else:
        known = told()
        what[:] = [_of(word, known) for word in runs.words]
    kernels.stops(starts, ends, what, gap)
    return what, shape, gap


def _of(word: str, known: Told) -> int:
    found = known.words.get(word)
    if found is not None:
        return found
    for size in range(min(_LONGEST_ENDING, len(word) - 1), 1, -1):
        ending = known.endings.get(word[-size:])
        if ending is not None:
            return kernels.UNKNOWN | ending
    return kernels.UNKNOWN


@cache
def told() -> Told:
    """The lists: names, words by how common they are, nouns, towns, firms, closed classes; endings of names."""
    return _lists()


def _lists() -> Told:
    words: dict[str, int] = {}
    endings: dict[str, int] = {}
    for line in DICTIONARY.read_text(encoding="utf-8").splitlines():
        role, *names = line.split()
        if not role.startswith("built"):
            bit = _FAMILY if role.startswith("family") else _GIVEN
            for name in names:
                words[name] = words.get(name, 0) | bit
    for line in data(WORDS).splitlines():
        kind, *rest = line.split()
        if kind.startswith("ending"):
            endings.update(dict.fromkeys(rest, int(kind[-1]) << _ENDING_BITS))
        else:
            bits = _KINDS[kind]
            for word in rest:
                words[word] = words.get(word, 0) | bits
    endings.update(dict.fromkeys(OF_PLACES, kernels.PLACE))
    for number, those in enumerate(CLOSED, 1):
        for word in those:
            words[word] = words.get(word, 0) & ~(31 << _CLASS_BITS) | number << _CLASS_BITS
    return Told(words, endings)


@cache
def weights() -> Any:
    """The weight of each feature, a whole number."""
    found = np.zeros(kernels.FEATURES, np.int32)
    for line in data(WEIGHTS).splitlines():
        number, weight = line.split()
        found[int(number)] = int(weight)
    return found


@cache
def _table() -> tuple[Any, Any, Any, Any]:
    """An open table of the numbers of words and endings, and what is told of each; the same of words seen lately."""
    from envclone.masking.known import hashes_of

    known = _lists()  # not kept: they are 20 MB of objects, and nobody looks at them once they are in the table
    texts = [*known.words, *(f" {ending}" for ending in known.endings)]
    whats: Sequence[int] = [*known.words.values(), *known.endings.values()]
    size = 1 << (2 * len(texts)).bit_length()
    numbers, tolds = np.zeros(size, np.uint64), np.zeros(size, np.int32)
    kernels.enter(hashes_of(texts), np.array(whats, np.int32), numbers, tolds)
    return numbers, tolds, np.zeros(_SEEN, np.uint64), np.zeros(_SEEN, np.int32)


@cache
def _tables() -> tuple[Any, Any]:
    """The class of every code point, and what it is in lower case."""
    from envclone.masking.texts import tables

    classes, fold, _ = tables()
    return classes, fold
