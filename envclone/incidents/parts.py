"""Which parts of a result an expectation speaks of: a trace holds ids and scores, seldom the rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from envclone.errors import UsageError
from envclone.incidents.bundle import Expected, SqlStep, Step
from envclone.incidents.order import order_of
from envclone.incidents.values import canonical

__all__ = ["compared", "ids_of", "in_words", "named", "ordered", "other_types", "positions", "sorted_by_score"]


def in_words(expected: Expected) -> str:
    """The parts that an expectation has, when it lacks some; empty when it is whole or expects an empty result."""
    found = [name for name in ("columns", "ids", "scores", "rows") if getattr(expected, name)]
    whole = (expected.columns and expected.rows) or not _told(expected)
    return "" if whole else f"only {' and '.join(found)} compared"


def named(expected: Expected, got: Expected) -> Expected:
    """Rows without names of columns, or no rows, are of the result's columns, when there are as many."""
    if expected.columns or (expected.rows and len(expected.rows[0]) != len(got.columns)):
        return expected
    if not expected.rows and _told(expected):
        return expected
    return expected.model_copy(update={"columns": got.columns})


def compared(expected: Expected, got: Expected) -> Expected:
    """What was returned, without the parts that the expectation does not have; a result of nothing is a part.

    An expectation without rows, ids and scores is an empty result, whether it names columns or not.
    """
    told = _told(expected)
    return Expected.model_construct(
        columns=got.columns if expected.columns else (),
        origins=(),
        rows=got.rows if expected.rows or not told else (),
        ids=got.ids if expected.ids or not told else (),
        scores=got.scores if expected.scores or not told else (),
        error=got.error,
    )


def sorted_by_score(result: Expected) -> Expected:
    """Scores in order of size, for a result whose own order does not count."""
    return result.model_copy(update={"scores": tuple(sorted(result.scores, key=lambda one: (one != one, one)))})


def other_types(expected: Sequence[int | str], got: Sequence[int | str]) -> str:
    """That ids are the same but for being text on one side and numbers on the other; empty when they are not."""
    if not expected or list(map(canonical, expected)) == list(map(canonical, got)):
        return ""
    if sorted(map(str, expected)) != sorted(map(str, got)):
        return ""
    sides = ["text" if isinstance(ids[0], str) else "numbers" for ids in (expected, got)]
    return "" if sides[0] == sides[1] else f"the ids are {sides[0]} in the bundle and {sides[1]} here"


def ids_of(step: SqlStep, got: Expected, *, scores: bool) -> Expected:
    """A query's rows as hits: ids are the key column (by default the first), scores what it is ordered by.

    Raises UsageError when there are `scores` to compare and no column is known to be one.
    """
    key = step.key if step.key in got.columns else next(iter(got.columns), None)
    if key is None:
        return Expected()
    ids = [row[got.columns.index(key)] for row in got.rows]
    found: list[Any] = []
    if scores:
        by = [step.score] if step.score is not None else order_of(step.sql, step.parameters).columns
        index = positions(by, got.columns) if len(by) == 1 else []
        if not index:
            raise UsageError(
                f"the step '{step.id}' expects scores, and does not say which column of its result they are",
                hint=f"name it in the step, `score: NAME`; its columns are {', '.join(got.columns)}",
            )
        found = [row[index[0]] for row in got.rows]
    try:
        numbers = tuple(float("nan") if s is None else float(s) for s in found)
    except (TypeError, ValueError):
        raise UsageError(
            f"the step '{step.id}' expects scores, and its column {got.columns[index[0]]} holds no numbers",
            hint="name the column of the scores in the step, `score: NAME`",
        ) from None
    return Expected(ids=tuple(i if isinstance(i, int | str) else str(i) for i in ids), scores=numbers)


def ordered(step: Step) -> bool:
    """Whether the order of a query's rows counts."""
    if not isinstance(step, SqlStep):
        return True
    return order_of(step.sql, step.parameters).ordered if step.ordered is None else step.ordered


def positions(by: Sequence[str | int], columns: Sequence[str]) -> list[int]:
    """The columns that rows are ordered by, as indexes; none when one of them cannot be told."""
    found = []
    for column in by:
        if isinstance(column, int) and 0 < column <= len(columns):
            found.append(column - 1)
        elif isinstance(column, str) and columns.count(column) == 1:
            found.append(columns.index(column))
        else:
            return []
    return found


def _told(expected: Expected) -> bool:
    return bool(expected.ids or expected.scores or expected.rows)
