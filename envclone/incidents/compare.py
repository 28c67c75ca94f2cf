"""Whether a branch gave what production gave: ids, order, scores, rows, errors; pure functions of the two results.

Order counts up to ties: a permutation is the same answer only among results of equal score, which the engine itself
may return in any order. Everything else is exact.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from envclone.errors import UsageError
from envclone.incidents import parts
from envclone.incidents.bundle import COMPUTED, NO_FIELD, UNKNOWN, Expected, HttpStep, Incident, SqlStep, Step
from envclone.incidents.differences import UNANSWERED, Item, between, in_words, sqlstate, unanswered
from envclone.incidents.order import OrderInfo, order_of
from envclone.incidents.report import explain, side_by_side
from envclone.incidents.values import canonical, scores_equal, single_precision
from envclone.incidents.verdicts import Difference, DifferenceKind, ReplayReport, StepVerdict
from envclone.masking.jsonpaths import PathRules
from envclone.models import JsonRule, StepResult

__all__ = [
    "Difference",
    "DifferenceKind",
    "OrderInfo",
    "ReplayReport",
    "StepVerdict",
    "compare",
    "explain",
    "order_of",
    "side_by_side",
    "verdict",
]

Same = Callable[[Any, Any], bool]


def compare(
    step: Step, expected: Expected, actual: Expected | StepResult, *, tolerance: float | None = None
) -> StepVerdict:
    """Compare what a step returned with what production returned.

    `tolerance` is by how much two scores may differ (absolute); by default the step's own, which is 0 by default.
    A vector store's scores are compared as the 32-bit floats that they are.
    """
    got = actual if isinstance(actual, Expected) else Expected.of(step, actual)
    allowed = step.tolerance if tolerance is None else tolerance
    size = len(expected.ids) or len(expected.rows) or len(expected.scores)
    if expected.error is not None or got.error is not None:
        same = _same_error(expected.error, got.error)
        differences = () if same else (Difference(DifferenceKind.ERROR, "", None, "", expected.error, got.error),)
        return StepVerdict(
            step.id,
            same,
            in_words(differences),
            differences,
            same,
            same,
            same,
            same,
            results=size,
            note=_failed(got, same),
        )
    note, columns = "", got.columns
    if isinstance(step, HttpStep):
        columns = columns[: len(expected.columns)]  # a status alone is an expectation too
    else:
        note = parts.in_words(expected)
        expected = parts.named(expected, got)
        if expected.rows and not expected.columns:  # as many values as the result has columns would be named
            return _other_columns(step, f"{len(expected.rows[0])} without names", columns, size)
        columns = columns if expected.columns else ()
        if isinstance(step, SqlStep) and size and not expected.rows:
            got = parts.ids_of(step, got, scores=bool(expected.scores))
        got = parts.compared(expected, got)
    if expected.columns != columns:
        return _other_columns(step, ", ".join(expected.columns), columns, size)
    if isinstance(step, HttpStep):
        ranking = _leaves(step, expected, got, allowed)
    elif isinstance(step, SqlStep) and (expected.rows or not size):
        ranking = _rows(step, expected, got, allowed)
    else:
        ranking = _hits(step, expected, got, allowed)
    found = _judge(step.id, ranking, size)
    if found.reproduced:
        return replace(found, note=f"all the same; {note}" if note else "")
    types = parts.other_types(expected.ids, got.ids)
    return replace(found, reasons=(*found.reasons, *(why for why in (types, note) if why)))


def _other_columns(step: Step, expected: str, columns: Sequence[str], size: int) -> StepVerdict:
    difference = Difference(DifferenceKind.COLUMNS, "", None, "", expected, ", ".join(columns))
    return StepVerdict(step.id, False, in_words((difference,)), (difference,), identical_rows=False, results=size)


def verdict(incident: Incident, results: Mapping[str, StepResult] | Sequence[StepResult]) -> ReplayReport:
    """Judge a replay; `results` are by step id, or in the steps' order. Raises UsageError for an unrecorded step."""
    by_id = results if isinstance(results, Mapping) else dict(zip((s.id for s in incident.steps), results, strict=True))
    verdicts = []
    for step in incident.steps:
        if step.expect is None:
            raise UsageError(
                f"the step '{step.id}' of incident {incident.incident} does not say what production returned",
                hint="envclone incident record BUNDLE",
            )
        verdicts.append(compare(step, step.expect, by_id[step.id]))
    return ReplayReport(
        incident=incident.incident,
        environment=incident.environment,
        reproduced=all(v.reproduced for v in verdicts),
        steps=tuple(verdicts),
        masked=incident.masked,
        seconds=sum(by_id[step.id].seconds for step in incident.steps),
        timeouts=tuple(step.store for step in incident.steps if _timed_out(by_id[step.id])),
        results=dict(by_id),
    )


def _timed_out(result: StepResult) -> bool:
    """Whether a statement ran into a timeout: PostgreSQL says `57014` of that, and of a cancelled one."""
    return result.error is not None and "timeout" in result.error and "57014" in result.error


@dataclass(frozen=True)
class _Ranking:
    """Two results, brought to one form. `ties` says where the expected places that may change end (None: anywhere)."""

    expected: Sequence[Item]
    actual: Sequence[Item]
    ties: Sequence[int] | None
    same_score: Same
    columns: tuple[str, ...]
    what: str


def _judge(step: str, ranking: _Ranking, size: int) -> StepVerdict:
    expected, actual = ranking.expected, ranking.actual
    ids = Counter(item.id for item in expected) == Counter(item.id for item in actual)
    order, scores, rows = _in_order(ranking) if ranking.ties is not None else _as_multiset(ranking)
    reproduced = ids and order and scores and rows
    if reproduced:
        return StepVerdict(step, True, results=size)
    differences = between(
        expected, actual, columns=ranking.columns, ordered=ranking.ties is not None, ties=ranking.ties or (),
        same_score=ranking.same_score, what=ranking.what,
    )  # fmt: skip
    return StepVerdict(
        step, False, in_words(differences), differences,
        identical_ids=ids, identical_order=order, identical_scores=scores, identical_rows=rows, results=size,
    )  # fmt: skip


def _in_order(ranking: _Ranking) -> tuple[bool, bool, bool]:
    """Whether order, scores and contents are the same, a permutation among equal scores being the same order."""
    expected, actual = ranking.expected, ranking.actual
    if len(expected) != len(actual):
        return False, False, False
    scores = all(ranking.same_score(e.score, a.score) for e, a in zip(expected, actual, strict=True))
    order = rows = True
    start = 0
    for end in ranking.ties or ():
        order &= Counter(i.id for i in expected[start:end]) == Counter(i.id for i in actual[start:end])
        rows &= Counter(i.content for i in expected[start:end]) == Counter(i.content for i in actual[start:end])
        start = end
    return order, scores, rows


def _as_multiset(ranking: _Ranking) -> tuple[bool, bool, bool]:
    """Whether the rows are the same in any order; equal rows count as often as they occur."""
    rows = Counter(i.content for i in ranking.expected) == Counter(i.content for i in ranking.actual)
    if not rows:
        return True, False, False
    groups: dict[Hashable, tuple[list[Any], list[Any]]] = {}
    for side, items in enumerate((ranking.expected, ranking.actual)):
        for item in items:
            groups.setdefault(item.content, ([], []))[side].append(item.score)
    scores = all(
        ranking.same_score(e, a)
        for left, right in groups.values()
        for e, a in zip(sorted(left, key=_sortable), sorted(right, key=_sortable), strict=True)
    )
    return True, scores, True


def _sortable(score: Any) -> tuple[str, float, str]:
    number = isinstance(score, int | float) and score == score
    return ("number", score, "") if number else ("other", 0.0, repr(canonical(score)))


def _hits(step: Step, expected: Expected, got: Expected, tolerance: float) -> _Ranking:
    """Hits with an id, a score (of 32 bits in a vector store) and, when asked for, a payload; or a query's ids."""
    single = not isinstance(step, SqlStep)
    ordered = single or parts.ordered(step)
    if not ordered and not expected.ids:  # scores alone are known by their place, once they have one
        expected, got = parts.sorted_by_score(expected), parts.sorted_by_score(got)

    def items(result: Expected) -> list[Item]:
        # what was not recorded is not compared: without ids a hit is known by its place
        count = max(len(result.ids), len(result.rows), len(result.scores))
        scores: list[Any] = [single_precision(s) if single else s for s in result.scores] or [None] * count
        rows = result.rows if len(result.rows) == count else [()] * count
        word = "id" if result.ids else "hit"
        return [
            Item((word, i), f"{word} {i}", score, row, canonical([i, list(row)]))
            for i, score, row in zip(result.ids or range(1, count + 1), scores, rows, strict=True)
        ]

    def same(left: Any, right: Any) -> bool:
        return scores_equal(left, right, tolerance)

    hits = items(expected)
    ties: list[int] | None = None
    if ordered:
        ties = _ties([h.score for h in hits], same) if expected.scores else list(range(1, len(hits) + 1))
    return _Ranking(hits, items(got), ties, same, expected.columns, "hit")


def _rows(step: SqlStep, expected: Expected, got: Expected, tolerance: float) -> _Ranking:
    """A query's rows; what identifies a row to a person is the key column, if it is one in both results."""
    columns = expected.columns
    score = columns.index(step.score) if step.score in columns and columns.count(step.score or "") == 1 else None
    key = _key(step, expected, got)
    order = order_of(step.sql, step.parameters)
    unknown = {i for row in expected.rows for i, value in enumerate(row) if value in (UNKNOWN, COMPUTED, NO_FIELD)}

    def items(result: Expected) -> list[Item]:
        made = []
        for row in [_without(row, unknown) for row in result.rows] if unknown else result.rows:
            # the score is compared on its own, for it may have a tolerance
            content = canonical([v for i, v in enumerate(row) if i != score])
            whole = canonical(list(row))
            id: Hashable = content if key is None else ("key", canonical(row[key]))
            name = "" if key is None else f"{columns[key]} {row[key]}"
            made.append(
                Item(id, name, None if score is None else row[score], row, content if score is not None else whole)
            )
        return made

    def same(left: Any, right: Any) -> bool:
        return scores_equal(left, right, tolerance)

    rows = items(expected)
    ties: Sequence[int] | None = None
    if parts.ordered(step):
        by = [score] if score is not None else parts.positions(order.columns, columns)
        if score is not None:
            ties = _ties([row.score for row in rows], same)
        elif by:
            ties = _ties([canonical([row.row[i] for i in by]) for row in rows], lambda a, b: bool(a == b))
        else:
            ties = list(range(1, len(rows) + 1))
    return _Ranking(rows, items(got), ties, same, columns, "row")


def _leaves(step: HttpStep, expected: Expected, got: Expected, tolerance: float) -> _Ranking:
    """An answer over HTTP: its status, and every leaf of its body by its place; what the step ignores is left out."""
    ignored = PathRules([JsonRule(path, "ignored") for path in step.ignore])
    alone = any(len(row) == 1 for row in expected.rows)

    def items(result: Expected) -> list[Item]:
        made = []
        for status, *bodies in result.rows:
            for place, path, value in (("status", ("status",), status), *(_walk(bodies[0]) if not alone else ())):
                if ignored.decide(path) is None:
                    made.append(Item(("leaf", place), place, None, (place, value), canonical([place, value])))
        return made

    def same(left: Any, right: Any) -> bool:
        return scores_equal(left, right, tolerance)

    return _Ranking(items(expected), items(got), None, same, ("place", "value"), "value")


def _walk(value: Any, place: str = "$", path: tuple[str, ...] = ()) -> Iterator[tuple[str, tuple[str, ...], Any]]:
    """Every leaf of a JSON document: its place for a person, its path for a rule, its value."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _walk(item, f"{place}.{key}", (*path, f".{key}"))
    elif isinstance(value, list | tuple) and value:
        for index, item in enumerate(value):
            yield from _walk(item, f"{place}[{index}]", (*path, "[*]"))
    else:
        yield place, path, value


def _without(row: Sequence[Any], unknown: Collection[int]) -> tuple[Any, ...]:
    """A row without what cannot be compared."""
    return tuple(UNKNOWN if i in unknown and value is not None else value for i, value in enumerate(row))


def _ties(scores: Sequence[Any], same: Same) -> list[int]:
    """Where each run of equal scores ends."""
    return [i for i in range(1, len(scores) + 1) if i == len(scores) or not same(scores[i - 1], scores[i])]


def _key(step: SqlStep, expected: Expected, got: Expected) -> int | None:
    if step.key is None or expected.columns.count(step.key) != 1:
        return None
    index = expected.columns.index(step.key)
    for result in (expected, got):
        if len({canonical(row[index]) for row in result.rows}) != len(result.rows):
            return None
    return index


def _same_error(expected: str | None, actual: str | None) -> bool:
    """The same failure: the same SQLSTATE, for the wording may carry values; the same text when there is none.

    A service that gave no answer is the same however it failed to.
    """
    if expected is None or actual is None:
        return False
    if expected == UNANSWERED:
        return unanswered(actual)
    states = sqlstate(expected), sqlstate(actual)
    return states[0] == states[1] if any(states) else expected.strip() == actual.strip()


def _failed(got: Expected, same: bool) -> str:
    return f"failed as in production: {sqlstate(got.error or '') or got.error}" if same else ""
