"""Which parts of a result an expectation speaks of: a trace holds ids and scores, seldom the rows."""

from __future__ import annotations

from envclone.incidents.bundle import Expected

__all__ = ["compared", "in_words"]


def in_words(expected: Expected) -> str:
    """The parts that an expectation has, when it lacks some; empty when it is whole or expects an empty result."""
    found = [name for name in ("columns", "ids", "scores", "rows") if getattr(expected, name)]
    whole = (expected.columns and expected.rows) or not (expected.ids or expected.scores)
    return "" if whole else f"all the same; only {' and '.join(found)} compared"


def compared(expected: Expected, got: Expected) -> Expected:
    """What was returned, without the parts that the expectation does not have; a result of nothing is a part.

    Columns without rows, ids and scores are an empty result, and so is an expectation that says nothing.
    """
    told = expected.ids or expected.scores or expected.rows
    return Expected.model_construct(
        columns=got.columns if expected.columns or not told else (),
        origins=(),
        rows=got.rows if expected.rows or not told else (),
        ids=got.ids if expected.ids or not told else (),
        scores=got.scores if expected.scores or not told else (),
        error=got.error,
    )
