"""Where two results differ, item by item, in a form that a person can read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from envclone.incidents.values import canonical
from envclone.incidents.verdicts import Difference, DifferenceKind

__all__ = ["UNANSWERED", "Item", "between", "in_words", "sqlstate"]


@dataclass(frozen=True, slots=True)
class Item:
    """A hit or a row: what identifies it, its name for a person, its score, its values, and what must be equal."""

    id: Hashable
    name: str
    score: Any
    row: tuple[Any, ...]
    content: Hashable


UNANSWERED = "no answer: the service ended"
"""What an application's client got whose service died."""
_NO_ANSWER = re.compile(r"no answer within |the connection ended|the service '[^']*' does not answer|no answer: ")


def unanswered(error: str) -> bool:
    """Whether a failure is that of a service which gave no answer, however it failed to."""
    return _NO_ANSWER.match(error) is not None


def sqlstate(error: str) -> str:
    """The SQLSTATE that an error's text begins with, or ''."""
    match = re.match(r"\s*([0-9A-Z]{5})\b", error)
    return match.group(1) if match and any(c.isdigit() for c in match.group(1)) else ""


def between(
    expected: Sequence[Item],
    actual: Sequence[Item],
    *,
    columns: tuple[str, ...],
    ordered: bool,
    ties: Sequence[int],
    same_score: Callable[[Any, Any], bool],
    what: str,
) -> tuple[Difference, ...]:
    """The differences of two results, in the order of production's, then what only the branch returned."""
    pairs, missing, extra = _paired(expected, actual)
    if not all(item.name for item in expected):
        again, missing, extra = _similar(missing, extra, expected, actual, ordered)
        pairs += again
    partner = dict(pairs)
    moved = _moved(pairs, ties) if ordered else frozenset()
    found: list[Difference] = []
    for i, item in enumerate(expected):
        j = partner.get(i)
        name = item.name or f"{what} {i + 1}"
        if j is None:
            found.append(Difference(DifferenceKind.MISSING, name, i + 1, "", _shown(item, columns, what), None))
            continue
        other = actual[j]
        if not same_score(item.score, other.score):
            found.append(Difference(DifferenceKind.SCORE, name, i + 1, "", item.score, other.score))
        if i in moved:
            found.append(Difference(DifferenceKind.MOVED, name, i + 1, "", i + 1, j + 1))
        if item.content != other.content:
            found += _values(item, other, columns, name, i + 1)
    for j in extra:
        found.append(
            Difference(
                DifferenceKind.EXTRA,
                actual[j].name or f"{what} {j + 1}",
                j + 1,
                "",
                None,
                _shown(actual[j], columns, what),
            )
        )
    return tuple(found)


def _paired(expected: Sequence[Item], actual: Sequence[Item]) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    """Which item is which: by id, and among several of one id those of equal score and place first."""
    free: dict[Hashable, list[int]] = {}
    for j, item in enumerate(actual):
        free.setdefault(item.id, []).append(j)
    pairs: list[tuple[int, int]] = []
    left: list[int] = []
    for i, item in enumerate(expected):  # first those that did not move
        places = free.get(item.id, [])
        if i in places and canonical(actual[i].score) == canonical(item.score):
            places.remove(i)
            pairs.append((i, i))
        else:
            left.append(i)
    missing: list[int] = []
    for i in left:
        places = free.get(expected[i].id, [])
        if not places:
            missing.append(i)
            continue
        score = canonical(expected[i].score)
        j = next((j for j in places if canonical(actual[j].score) == score), places[0])
        places.remove(j)
        pairs.append((i, j))
    return pairs, missing, sorted(j for places in free.values() for j in places)


def _similar(
    missing: list[int], extra: list[int], expected: Sequence[Item], actual: Sequence[Item], ordered: bool
) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    """Rows without a key: one that went and one that came are the same row, changed, when at least half is equal.

    Ordered rows must also stand at the same place. At most 500 rows are looked at, for every pair is.
    """
    pairs: list[tuple[int, int]] = []
    gone, come = list(missing), list(extra)
    if len(gone) * len(come) > 250_000:
        return [], missing, extra
    for i in missing:
        best = max(
            (j for j in come if not ordered or j == i),
            key=lambda j: _equal_values(expected[i].row, actual[j].row),
            default=None,
        )
        if best is not None and 2 * _equal_values(expected[i].row, actual[best].row) >= len(expected[i].row) > 1:
            pairs.append((i, best))
            gone.remove(i)
            come.remove(best)
    return pairs, gone, come


def _equal_values(left: tuple[Any, ...], right: tuple[Any, ...]) -> int:
    return sum(canonical(a) == canonical(b) for a, b in zip(left, right, strict=True))


def _moved(pairs: Sequence[tuple[int, int]], ties: Sequence[int]) -> frozenset[int]:
    """Which items stand, among those that both results have, where one of another score stood."""
    group: dict[int, int] = {}
    start = 0
    for number, end in enumerate(ties):
        group.update((i, number) for i in range(start, end))
        start = end
    before = sorted(i for i, _ in pairs)
    after = [i for i, _ in sorted(pairs, key=lambda pair: pair[1])]
    return frozenset(now for was, now in zip(before, after, strict=True) if group[was] != group[now])


def _values(item: Item, other: Item, columns: tuple[str, ...], name: str, position: int) -> list[Difference]:
    if len(item.row) != len(other.row):
        return [Difference(DifferenceKind.VALUE, name, position, "", list(item.row), list(other.row))]
    return [
        Difference(DifferenceKind.VALUE, name, position, column, a, b)
        for column, a, b in zip(columns or ("",) * len(item.row), item.row, other.row, strict=True)
        if canonical(a) != canonical(b)
    ]


def _shown(item: Item, columns: tuple[str, ...], what: str) -> Any:
    """A whole row or hit, as an object when its columns have different names."""
    if len(set(columns)) != len(columns):
        return list(item.row)
    values = dict(zip(columns, item.row, strict=False))
    return {"score": item.score, **values} if what == "hit" else values


def in_words(differences: Sequence[Difference]) -> tuple[str, ...]:
    """What differs, one line per kind."""
    lines = {
        DifferenceKind.MISSING: "{n} that production returned {are} missing",
        DifferenceKind.EXTRA: "{n} {are} there that production did not return",
        DifferenceKind.MOVED: "{n} {are} at another place",
        DifferenceKind.SCORE: "{n} {have} another score",
        DifferenceKind.VALUE: "{n} {have} another value",
    }
    reasons = []
    for difference in differences:
        if difference.kind is DifferenceKind.ERROR:
            if difference.expected is None:
                reasons.append(f"it fails here and did not in production: {difference.actual}")
            elif difference.actual is None:
                reasons.append(f"it does not fail here as it did in production: {difference.expected}")
            else:
                reasons.append(f"it fails otherwise: {difference.actual}, not {difference.expected}")
        elif difference.kind is DifferenceKind.COLUMNS:
            reasons.append(f"the columns are {difference.actual or 'none'}, not {difference.expected or 'none'}")
    counts = Counter(kind for kind, _ in {(d.kind, d.key) for d in differences})
    for kind, text in lines.items():
        if n := counts[kind]:
            reasons.append(text.format(n=n, are="is" if n == 1 else "are", have="has" if n == 1 else "have"))
    return tuple(reasons)
