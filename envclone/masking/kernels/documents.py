"""Documents in JSON, many in one block: where each scalar stands, on which path; and others put in their places.

The grammar is that of RFC 8259, as `jsonscan` has it. Paths are nodes of a tree, which names each key by where it
stands: two keys are one when all their bytes are.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from envclone.compiled import lean

__all__ = [
    "BOOL",
    "DEEPEST",
    "ELEMENT",
    "ESCAPED",
    "NULL",
    "NUMBER",
    "STRING",
    "Tree",
    "gather",
    "scalars",
    "splice",
    "tree",
    "warm",
]

STRING, NUMBER, BOOL, NULL = range(4)
ESCAPED = 8
DEEPEST = 64
"""Levels of a document that is read here."""
ELEMENT = -1
"""Where the key of an array's elements begins."""
_NODES = 1 << 12
_BASIS, _PRIME, _MIX = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3), np.uint64(0x9E3779B97F4A7C15)
_32 = np.uint64(32)
_TAB, _LF, _CR, _SPACE, _QUOTE, _PLUS, _COMMA, _MINUS, _DOT, _SLASH = 9, 10, 13, 32, 34, 43, 44, 45, 46, 92
_0, _9, _COLON, _E, _U, _CASE = 48, 57, 58, 101, 117, 32
_OPEN, _CLOSE, _BEGIN, _END, _T, _F, _N = 91, 93, 123, 125, 116, 102, 110
_SHORT = np.zeros(256, np.bool_)
_SHORT[[*b'"\\/bfnrt']] = True
_HEX = np.zeros(256, np.bool_)
_HEX[[*b"0123456789abcdefABCDEF"]] = True


class Tree(NamedTuple):
    """The paths of a batch: each node's parent, and where its key stands; an open table of nodes by hash; how many."""

    parents: Any
    starts: Any
    stops: Any
    table: Any
    count: Any


def tree() -> Tree:
    """One path: of the documents themselves."""
    one = np.zeros((3, _NODES), np.int64)
    return Tree(one[0], one[1], one[2], np.full(4 * _NODES, -1, np.int64), np.ones(1, np.int64))


@lean
def _below(block: Any, parent: Any, start: Any, stop: Any, paths: Any) -> Any:
    """The node of a member; -1 when there are too many."""
    h = (_BASIS ^ np.uint64(parent)) * _PRIME
    if start >= 0:
        for k in range(start, stop):
            h = (h ^ np.uint64(block[k])) * _PRIME
    h = (h ^ (h >> _32)) * _MIX
    mask = paths.table.shape[0] - 1
    at = np.int64(h >> _32) & mask
    while paths.table[at] >= 0:
        node = paths.table[at]
        first = paths.starts[node]
        if paths.parents[node] == parent and (first < 0) == (start < 0) and paths.stops[node] - first == stop - start:
            k = 0
            if start >= 0:
                while start + k < stop and block[first + k] == block[start + k]:
                    k += 1
            if start < 0 or start + k == stop:
                return node
        at = (at + 1) & mask
    node = paths.count[0]
    if node >= paths.parents.shape[0]:
        return np.int64(-1)
    paths.table[at] = node
    paths.parents[node], paths.starts[node], paths.stops[node] = parent, start, stop
    paths.count[0] = node + 1
    return node


@lean
def _blank(block: Any, p: Any, stop: Any) -> Any:
    while p < stop and (block[p] == _SPACE or block[p] == _LF or block[p] == _TAB or block[p] == _CR):
        p += 1
    return p


@lean
def _string(block: Any, p: Any, stop: Any) -> Any:
    """Behind a string that begins before a place, and whether anything in it is escaped; -1 when it is none."""
    escaped = False
    while p < stop:
        c = np.int64(block[p])
        if c == _QUOTE:
            return p + 1, escaped
        if c < _SPACE:
            break
        p += 1
        if c == _SLASH:
            escaped = True
            if p >= stop or not (_SHORT[block[p]] or block[p] == _U):
                break
            if block[p] == _U:
                if p + 5 > stop:
                    break
                for k in range(p + 1, p + 5):
                    if not _HEX[block[k]]:
                        return np.int64(-1), escaped
                p += 4
            p += 1
    return np.int64(-1), escaped


@lean
def _digits(block: Any, p: Any, stop: Any) -> Any:
    while p < stop and _0 <= np.int64(block[p]) <= _9:
        p += 1
    return p


@lean
def _number(block: Any, p: Any, stop: Any) -> Any:
    """Behind a number; -1 when it is none."""
    if p < stop and block[p] == _MINUS:
        p += 1
    q = _digits(block, p, stop)
    if q == p or (block[p] == _0 and q - p > 1):
        return np.int64(-1)
    p = q
    if p < stop and block[p] == _DOT:
        q = _digits(block, p + 1, stop)
        if q == p + 1:
            return np.int64(-1)
        p = q
    if p < stop and np.int64(block[p]) | _CASE == _E:
        p += 1
        if p < stop and (block[p] == _PLUS or block[p] == _MINUS):
            p += 1
        q = _digits(block, p, stop)
        if q == p:
            return np.int64(-1)
        p = q
    return p


@lean
def _word(block: Any, p: Any, stop: Any) -> Any:
    """Behind true, false or null, and its kind; -1 for anything else."""
    if stop - p >= 4 and block[p] == _T and block[p + 1] == 114 and block[p + 2] == 117 and block[p + 3] == 101:
        return p + 4, BOOL
    if stop - p >= 4 and block[p] == _N and block[p + 1] == 117 and block[p + 2] == 108 and block[p + 3] == 108:
        return p + 4, NULL
    false = stop - p >= 5 and block[p] == _F and block[p + 1] == 97 and block[p + 2] == 108
    if false and block[p + 3] == 115 and block[p + 4] == 101:
        return p + 5, BOOL
    return np.int64(-1), NULL


@lean
def _document(
    block: Any, p: Any, stop: Any, paths: Any, stack: Any, starts: Any, stops: Any, kinds: Any, nodes: Any, count: Any
) -> Any:
    """The scalars of one document behind the `count` before it; returns how many there are then, -1 for no JSON."""
    depth, node, failed = 0, np.int64(0), np.int64(-1)
    while True:
        p = _blank(block, p, stop)
        if p >= stop or count >= starts.shape[0]:
            return failed
        c = np.int64(block[p])
        opened = c in (_BEGIN, _OPEN)
        if opened:
            if depth == stack.shape[1]:
                return failed
            stack[0, depth], stack[1, depth] = node, c
            depth += 1
            p = _blank(block, p + 1, stop)
            if p < stop and block[p] == c + 2:
                depth -= 1
                p += 1
                opened = False
            elif c == _OPEN:
                node = _below(block, node, np.int64(ELEMENT), np.int64(ELEMENT), paths)
                if node < 0:
                    return failed
                continue
        else:
            start, kind = p, NUMBER
            escaped = False
            if c == _QUOTE:
                kind = STRING
                p, escaped = _string(block, p + 1, stop)
            elif c == _MINUS or _0 <= c <= _9:
                p = _number(block, p, stop)
            else:
                p, kind = _word(block, p, stop)
            if p < 0:
                return failed
            starts[count], stops[count], nodes[count] = start, p, node
            kinds[count] = kind | (ESCAPED if escaped else 0)
            count += 1
        while not opened:  # behind a value
            p = _blank(block, p, stop)
            if depth == 0:
                return np.int64(count) if p == stop else failed
            if p >= stop:
                return failed
            c = np.int64(block[p])
            p += 1
            if c == stack[1, depth - 1] + 2:
                depth -= 1
            elif c == _COMMA:
                if stack[1, depth - 1] == _OPEN:
                    node = _below(block, stack[0, depth - 1], np.int64(ELEMENT), np.int64(ELEMENT), paths)
                break
            else:
                return failed
        if stack[1, depth - 1] == _BEGIN:
            p = _blank(block, p, stop)
            if p >= stop or block[p] != _QUOTE:
                return failed
            first = p
            p, escaped = _string(block, p + 1, stop)
            if p < 0:
                return failed
            node = _below(block, stack[0, depth - 1], first, p, paths)
            p = _blank(block, p, stop)
            if node < 0 or p >= stop or block[p] != _COLON:
                return failed
            p += 1


@lean
def scalars(
    block: Any, zeros: Any, absent: Any, paths: Any, stack: Any, starts: Any, stops: Any, kinds: Any, nodes: Any
) -> Any:
    """Every scalar of documents, each between two of the places of zeros: where its literal stands, kind and node.

    ESCAPED is added to the kind of a string in which anything is escaped. Returns how many there are; -1 when a text
    is no document, or one that only Python reads.
    """
    count = np.int64(0)
    for i in range(min(zeros.shape[0] - 1, absent.shape[0])):
        if not absent[i]:
            start, stop = max(0, zeros[i] + 1), min(zeros[i + 1], block.shape[0])
            count = _document(block, start, stop, paths, stack, starts, stops, kinds, nodes, count)
            if count < 0:
                return count
    return count


@lean
def gather(block: Any, starts: Any, stops: Any, out: Any) -> Any:
    """Copy stretches of a block, a zero behind each; returns how many bytes that makes, -1 when there is no room."""
    at = np.int64(0)
    for i in range(min(starts.shape[0], stops.shape[0])):
        start, stop = np.int64(starts[i]), np.int64(stops[i])
        if start < 0 or stop < start or stop > block.shape[0] or at + stop - start >= out.shape[0]:
            return np.int64(-1)
        old, new = block[start:stop], out[at : at + stop - start]
        for k in range(stop - start):
            new[k] = old[k]
        at += stop - start
        out[at] = 0
        at += 1
    return at


@lean
def splice(block: Any, starts: Any, stops: Any, pool: Any, firsts: Any, lasts: Any, out: Any) -> Any:
    """Put stretches of `pool` in the places of stretches of `block`, which ascend; returns how many bytes that makes.

    -1 when `out` has no room.
    """
    at, position = np.int64(0), np.int64(0)
    for i in range(starts.shape[0] + 1):
        stop = np.int64(starts[i]) if i < starts.shape[0] else np.int64(block.shape[0])
        first = np.int64(firsts[i]) if i < starts.shape[0] else np.int64(0)
        last = np.int64(lasts[i]) if i < starts.shape[0] else np.int64(0)
        if stop < position or stop > block.shape[0] or first < 0 or last < first or last > pool.shape[0]:
            return np.int64(-1)
        if at + stop - position + last - first > out.shape[0]:
            return np.int64(-1)
        old, new = block[position:stop], pool[first:last]
        target = out[at : at + stop - position]
        for k in range(stop - position):
            target[k] = old[k]
        at += stop - position
        target = out[at : at + last - first]
        for k in range(last - first):
            target[k] = new[k]
        at += last - first
        position = np.int64(stops[i]) if i < starts.shape[0] else stop
    return at


def warm() -> None:
    """Run the kernels once."""
    block = np.frombuffer(b'{"a": [1, "x\\n", true], "b": {}}', np.uint8)
    zeros, absent = np.array([-1, len(block)], np.int64), np.zeros(1, np.bool_)
    places, kinds = np.zeros((3, 8), np.int64), np.zeros(8, np.uint8)
    scalars(block, zeros, absent, tree(), np.zeros((2, DEEPEST), np.int64), places[0], places[1], kinds, places[2])
    gather(block, places[0, :1], places[1, :1], np.zeros(99, np.uint8))
    splice(block, places[0, :1], places[1, :1], block, places[0, :1], places[1, :1], np.zeros(99, np.uint8))
