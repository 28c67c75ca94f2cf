"""Comparison: equal answers are found equal, and nothing else is."""

from __future__ import annotations

import json
import random
import struct
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from envclone.errors import UsageError
from envclone.incidents.bundle import Expected, HttpStep, Incident, SqlStep, Step, VectorStep
from envclone.incidents.compare import (
    Difference,
    DifferenceKind,
    StepVerdict,
    compare,
    explain,
    side_by_side,
    verdict,
)
from envclone.models import StepResult

SEARCH = VectorStep(id="search", store="kb", collection="articles", vector=[1.0])
ORDERED = SqlStep(id="list", store="main", sql="SELECT id, body, score FROM t ORDER BY score", key="id")
SET = SqlStep(id="list", store="main", sql="SELECT id, body, score FROM t")
COLUMNS = ("id", "body", "score")


def hits(*pairs: tuple[Any, float], payload: str = "text of {}") -> Expected:
    return Expected(
        columns=("payload",),
        ids=tuple(i for i, _ in pairs),
        scores=tuple(s for _, s in pairs),
        rows=tuple(({"text": payload.format(i)},) for i, _ in pairs),
    )


def rows(*values: tuple[Any, ...], columns: tuple[str, ...] = COLUMNS) -> Expected:
    return Expected(columns=columns, rows=values)


def kinds(found: StepVerdict) -> list[DifferenceKind]:
    return [difference.kind for difference in found.differences]


def agreed(step: Step, expected: Expected, actual: Expected) -> bool:
    """The verdict, after checking that it is consistent in itself."""
    found = compare(step, expected, actual)
    flags = found.identical_ids and found.identical_order and found.identical_scores and found.identical_rows
    assert found.reproduced == flags == (not found.differences) == (not found.reasons)
    return found.reproduced


# --- vector searches -----------------------------------------------------------------------------------------


def test_equal_hits() -> None:
    assert agreed(SEARCH, hits((1, 0.9), (2, 0.8)), hits((1, 0.9), (2, 0.8)))


def test_a_permutation_is_the_same_only_inside_equal_scores() -> None:
    expected = hits((1, 0.9), (2, 0.8), (3, 0.8), (4, 0.7))
    assert agreed(SEARCH, expected, hits((1, 0.9), (3, 0.8), (2, 0.8), (4, 0.7)))
    found = compare(SEARCH, expected, hits((2, 0.9), (1, 0.8), (3, 0.8), (4, 0.7)))
    assert not found.reproduced and found.identical_ids and not found.identical_order
    assert not agreed(SEARCH, expected, hits((1, 0.9), (2, 0.8), (4, 0.8), (3, 0.7)))


def test_a_missing_and_an_extra_hit_are_named() -> None:
    found = compare(SEARCH, hits((1, 0.9), (2, 0.8), (3, 0.7)), hits((1, 0.9), (3, 0.7), (9, 0.6)))
    assert [(d.kind, d.key, d.position) for d in found.differences] == [
        (DifferenceKind.MISSING, "id 2", 2),
        (DifferenceKind.EXTRA, "id 9", 3),
    ]  # 3 did not move: only what stood before it went
    assert found.reasons == (
        "1 that production returned is missing",
        "1 is there that production did not return",
    )
    assert side_by_side(found) == [
        ("id 2: missing", '#2 {"score": 0.800000011920929, "payload": {"text": "text of 2"}}', "–"),
        ("id 9: extra", "–", '#3 {"score": 0.6000000238418579, "payload": {"text": "text of 9"}}'),
    ]


def test_a_swap_of_equal_scores_is_no_difference_beside_another() -> None:
    found = compare(SEARCH, hits((1, 0.9), (2, 0.9), (3, 0.8)), hits((2, 0.9), (1, 0.9), (4, 0.8)))
    assert [(d.kind, d.key) for d in found.differences] == [
        (DifferenceKind.MISSING, "id 3"),
        (DifferenceKind.EXTRA, "id 4"),
    ]


def test_scores_are_compared_bit_for_bit_as_32_bit_floats() -> None:
    printed = 0.8765432  # as a server's JSON prints it; an embedded engine widens the same bits
    widened = struct.unpack("<f", struct.pack("<f", printed))[0]
    assert widened != printed
    assert agreed(SEARCH, hits((1, printed)), hits((1, widened)))
    neighbour = struct.unpack("<f", struct.pack("<i", struct.unpack("<i", struct.pack("<f", printed))[0] + 1))[0]
    found = compare(SEARCH, hits((1, printed)), hits((1, neighbour)))
    assert kinds(found) == [DifferenceKind.SCORE] and not found.identical_scores and found.identical_ids
    assert compare(SEARCH, hits((1, printed)), hits((1, neighbour)), tolerance=1e-6).reproduced
    step = SEARCH.model_copy(update={"tolerance": 1e-6})
    assert compare(step, hits((1, printed)), hits((1, neighbour))).reproduced
    assert not compare(step, hits((1, printed)), hits((1, printed + 1e-3))).reproduced


def test_extreme_scores() -> None:
    inf, nan = float("inf"), float("nan")
    assert agreed(
        SEARCH, hits((1, inf), (2, nan), (3, 1e300), (4, 0.0)), hits((1, inf), (2, nan), (3, 1e300), (4, -0.0))
    )
    assert not agreed(SEARCH, hits((1, nan)), hits((1, 0.0)))


def test_without_scores_the_order_is_strict() -> None:
    expected = Expected(ids=(1, 2))
    assert agreed(SEARCH, expected, Expected(ids=(1, 2), scores=(0.5, 0.5)))
    assert not agreed(SEARCH, expected, Expected(ids=(2, 1), scores=(0.5, 0.5)))


@pytest.mark.parametrize("told", [("ids",), ("scores",), ("ids", "scores"), ("columns", "rows"), ("columns", "ids")])
def test_what_an_expectation_does_not_have_is_not_compared(told: tuple[str, ...]) -> None:
    whole = hits((7, 0.5), (3, 0.25), (9, 0.125))
    expected = Expected(**{part: getattr(whole, part) for part in told})
    found = compare(SEARCH, expected, whole)
    assert found.reproduced, found.reasons
    assert (found.note == "") == ("rows" in told)
    other = hits((7, 0.5), (4, 0.2), (9, 0.125))
    assert not compare(SEARCH, expected, other).reproduced
    assert not compare(SEARCH, expected, hits((7, 0.5), (3, 0.25))).reproduced
    assert not compare(SEARCH, expected, Expected(columns=("payload",))).reproduced


def test_an_expectation_of_nothing_is_one() -> None:
    for nothing in (Expected(), Expected(columns=("payload",))):
        assert not compare(SEARCH, nothing, hits((7, 0.5))).reproduced
    assert compare(SEARCH, Expected(columns=("payload",)), Expected(columns=("payload",))).reproduced


@pytest.mark.parametrize("nothing", [{}, {"ids": ()}, {"scores": ()}, {"rows": ()}])
@pytest.mark.parametrize("step", [SEARCH, ORDERED])
def test_an_empty_result_needs_no_columns(step: Step, nothing: dict[str, Any]) -> None:
    """A trace of a search that found nothing holds an empty list of ids and no more."""
    empty = Expected(columns=("payload",) if step is SEARCH else COLUMNS)
    assert agreed(step, Expected(**nothing), empty)
    found = compare(step, Expected(**nothing), hits((7, 0.5)) if step is SEARCH else rows((1, "a", 0.5)))
    assert found.reasons == ("1 is there that production did not return",)


def test_rows_need_no_names() -> None:
    actual = rows((1, "a", 0.25), (2, "b", 0.5))
    found = compare(ORDERED, Expected(rows=actual.rows), actual)
    assert found.reproduced and found.note == "all the same; only rows compared"
    assert not compare(ORDERED, Expected(rows=((1, "a", 0.25), (2, "c", 0.5))), actual).reproduced
    assert agreed(SET, Expected(rows=actual.rows[::-1]), actual)
    assert agreed(SEARCH, Expected(rows=hits((7, 0.5)).rows), hits((7, 0.5)))
    narrow = compare(ORDERED, Expected(rows=((1,), (2,))), actual)
    assert narrow.reasons == ("the columns are id, body, score, not 1 without names",)
    with pytest.raises(ValueError, match="row 2 has 2 values for the 1 of the first row"):
        Expected(rows=((1,), (1, 2)))


def test_ids_and_scores_alone_count_in_order_only_where_the_query_has_one() -> None:
    actual = rows((1, "a", 0.25), (2, "b", 0.5))
    for ids, scores in ((2, 1), (0.5, 0.25)), ((2, 1), ()), ((), (0.5, 0.25)):
        expected = Expected(ids=ids, scores=scores)
        assert compare(SET.model_copy(update={"score": "score", "key": "id"}), expected, actual).reproduced
        assert not compare(ORDERED, expected, actual).reproduced
        assert compare(ORDERED.model_copy(update={"ordered": False}), expected, actual).reproduced
    assert not compare(SET.model_copy(update={"score": "score"}), Expected(scores=(0.5, 0.5)), actual).reproduced


def test_scores_are_what_the_query_orders_by_unless_it_says_otherwise() -> None:
    actual = rows((1, "a", 0.25), (2, "b", 0.5))
    assert compare(ORDERED, Expected(ids=(1, 2), scores=(0.25, 0.5)), actual).reproduced
    assert not compare(ORDERED, Expected(ids=(1, 2), scores=(0.25, 0.75)), actual).reproduced
    with pytest.raises(UsageError, match="does not say which column of its result they are") as told:
        compare(SET, Expected(scores=(0.25, 0.5)), actual)
    assert "score: NAME" in str(told.value.hint)
    with pytest.raises(UsageError, match="its column body holds no numbers"):
        compare(SET.model_copy(update={"score": "body"}), Expected(scores=(0.25, 0.5)), actual)


def test_ids_that_only_differ_in_type_are_said_to() -> None:
    found = compare(SEARCH, Expected(ids=("7", "8")), hits((7, 0.5), (8, 0.25)))
    assert not found.reproduced
    assert "the ids are text in the bundle and numbers here" in found.reasons
    assert found.reasons[-1] == "only ids compared"


def test_scores_alone_suffice_for_a_query() -> None:
    step = SqlStep(id="list", store="main", sql="SELECT id, d FROM t ORDER BY d", key="id", score="d")
    got = Expected(columns=("id", "d"), rows=((1, 0.25), (2, 0.5)))
    assert compare(step, Expected(scores=(0.25, 0.5)), got).reproduced
    assert not compare(step, Expected(scores=(0.25, 0.75)), got).reproduced


def test_an_id_is_not_its_text() -> None:
    assert not agreed(SEARCH, hits((1, 0.5)), hits(("1", 0.5)))


def test_a_payload_that_changed() -> None:
    found = compare(SEARCH, hits((1, 0.5)), hits((1, 0.5), payload="other {}"))
    assert kinds(found) == [DifferenceKind.VALUE]
    assert found.identical_ids and found.identical_order and found.identical_scores and not found.identical_rows


# --- rows ----------------------------------------------------------------------------------------------------


def test_unordered_rows_are_a_multiset() -> None:
    expected = rows((1, "a", 1), (2, "b", 1), (2, "b", 1))
    assert agreed(SET, expected, rows((2, "b", 1), (1, "a", 1), (2, "b", 1)))
    assert not agreed(SET, expected, rows((2, "b", 1), (1, "a", 1), (1, "a", 1)))
    assert not agreed(SET, expected, rows((2, "b", 1), (1, "a", 1)))
    found = compare(SET, rows((2, "b", 1), (2, "b", 1)), rows((2, "b", 1)))
    assert kinds(found) == [DifferenceKind.MISSING]


def test_ordered_rows_may_change_places_where_what_orders_them_is_equal() -> None:
    expected = rows((1, "a", 5), (2, "b", 5), (3, "c", 6))
    assert agreed(ORDERED, expected, rows((2, "b", 5), (1, "a", 5), (3, "c", 6)))
    found = compare(ORDERED, expected, rows((1, "a", 5), (3, "c", 6), (2, "b", 5)))
    assert [(d.kind, d.key, d.expected, d.actual) for d in found.differences] == [
        (DifferenceKind.MOVED, "id 2", 2, 3),
        (DifferenceKind.MOVED, "id 3", 3, 2),
    ]


def test_the_order_is_strict_when_what_orders_is_not_shown() -> None:
    hidden = ORDERED.model_copy(update={"sql": "SELECT id, body, score FROM t ORDER BY e <#> %s"})
    expected, swapped = rows((1, "a", 5), (2, "b", 5)), rows((2, "b", 5), (1, "a", 5))
    assert agreed(hidden, expected, expected)
    assert not agreed(hidden, expected, swapped)
    assert agreed(hidden.model_copy(update={"score": "score"}), expected, swapped)
    assert agreed(hidden.model_copy(update={"ordered": False}), expected, swapped)
    assert not agreed(SET.model_copy(update={"ordered": True}), expected, swapped)


def test_several_columns_can_order() -> None:
    step = SET.model_copy(update={"sql": "SELECT id, body, score FROM t ORDER BY score DESC, 2"})
    expected = rows((1, "a", 5), (2, "a", 5), (3, "b", 5))
    assert agreed(step, expected, rows((2, "a", 5), (1, "a", 5), (3, "b", 5)))
    assert not agreed(step, expected, rows((1, "a", 5), (3, "b", 5), (2, "a", 5)))


def test_a_double_precision_score_counts_to_its_last_bit() -> None:
    step = ORDERED.model_copy(update={"score": "score"})
    expected, other = rows((1, "a", 0.1)), rows((1, "a", 0.1 + 1e-17 + 2**-56))
    found = compare(step, expected, other)
    assert kinds(found) == [DifferenceKind.SCORE] and found.identical_rows and not found.identical_scores
    assert compare(step, expected, other, tolerance=1e-12).reproduced
    assert compare(step.model_copy(update={"ordered": False}), expected, other, tolerance=1e-12).reproduced
    assert not compare(step, expected, rows((1, "b", 0.1)), tolerance=1e-12).reproduced


def test_a_changed_value_names_row_and_column() -> None:
    found = compare(ORDERED, rows((1, "a", 5), (2, "b", 6)), rows((1, "a", 5), (2, "B", 6)))
    assert found.differences == (Difference(DifferenceKind.VALUE, "id 2", 2, "body", "b", "B"),)
    assert side_by_side(found) == [("id 2: body", "b", "B")]


def test_without_a_key_similar_rows_are_paired() -> None:
    found = compare(SET, rows((1, "a", 5), (2, "b", 6)), rows((2, "B", 6), (1, "a", 5)))
    assert found.differences == (Difference(DifferenceKind.VALUE, "row 2", 2, "body", "b", "B"),)


def test_a_key_that_repeats_is_no_key() -> None:
    expected = rows((1, "a", 5), (1, "b", 6))
    assert agreed(ORDERED, expected, expected)
    assert not agreed(ORDERED, expected, rows((1, "a", 5), (1, "c", 6)))


def test_columns_must_be_equal() -> None:
    found = compare(SET, rows(columns=("a", "b")), rows(columns=("b", "a")))
    assert found.reasons == ("the columns are b, a, not a, b",)
    assert not agreed(SET, rows((1,), columns=("a",)), rows((1, 2), columns=("a", "b")))
    assert agreed(SET, rows((1, 2), columns=("a", "a")), rows((1, 2), columns=("a", "a")))


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ({"a": 1, "b": [1, 2]}, {"b": [1, 2], "a": 1}, True),
        ({"a": [1, 2]}, {"a": [2, 1]}, False),
        (1, 1.0, True),
        (1, True, False),
        (0.0, -0.0, True),
        (float("nan"), float("nan"), True),
        (float("nan"), None, False),
        (None, "", False),
        (2**60, float(2**60), True),
        (2**60 + 1, float(2**60), False),
        ("é", "e\u0301", False),
        ({"a": None}, {}, False),
    ],
)
def test_values(left: Any, right: Any, same: bool) -> None:
    assert agreed(SET, rows((left,), columns=("a",)), rows((right,), columns=("a",))) is same


def test_recorded_ids_suffice_for_a_query() -> None:
    step = ORDERED.model_copy(update={"score": "score"})
    actual = rows((7, "a", 0.25), (8, "b", 0.5))
    assert agreed(step, Expected(ids=(7, 8), scores=(0.25, 0.5)), actual)
    assert agreed(step, Expected(ids=(7, 8)), actual)
    assert not agreed(step, Expected(ids=(8, 7)), actual)
    assert not agreed(step, Expected(ids=(7, 8), scores=(0.25, 0.75)), actual)
    assert not agreed(step, Expected(ids=(7,)), rows(columns=()))


# --- errors --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "actual", "same"),
    [
        ('22P02 invalid input syntax: "Jane"', '22P02 invalid input syntax: "Ruth"', True),
        ("22P02: x", "22P02 y", True),
        ("22P02 x", "22012 x", False),
        ("22P02 x", "timeout", False),
        ("----- gone", "----- gone", True),
        ("no such collection", "no such collection ", True),
        ("no such collection", "no such shard", False),
        ("22P02 x", None, False),
        (None, "22P02 x", False),
    ],
)
def test_errors_are_compared_by_their_state(expected: str | None, actual: str | None, same: bool) -> None:
    assert agreed(SET, Expected(error=expected), Expected(error=actual)) is same


# --- properties ----------------------------------------------------------------------------------------------

SCORES = st.sampled_from([0.25, 0.5, 0.75])
LISTS = st.lists(st.tuples(st.integers(0, 6), SCORES), max_size=8).map(lambda v: sorted(v, key=lambda pair: -pair[1]))
CELLS = (
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from([0.5, float("nan"), "a", "b"]) | st.just({"k": [1]})
)
TABLES = st.lists(st.tuples(CELLS, CELLS, st.integers(0, 3)), max_size=8)
STEPS = st.sampled_from(
    [
        SET,
        ORDERED,
        ORDERED.model_copy(update={"score": "score", "key": None}),
        ORDERED.model_copy(update={"sql": "SELECT 1 ORDER BY x"}),
    ]
)


@given(LISTS)
def test_hits_equal_themselves(pairs: list[tuple[int, float]]) -> None:
    assert agreed(SEARCH, hits(*pairs), hits(*pairs))


@given(TABLES, STEPS)
def test_rows_equal_themselves(table: list[tuple[Any, ...]], step: SqlStep) -> None:
    assert agreed(step, rows(*table), rows(*table))


@given(LISTS, st.randoms())
def test_any_permutation_inside_ties_is_accepted(pairs: list[tuple[int, float]], rng: random.Random) -> None:
    shuffled = sorted(pairs, key=lambda pair: (-pair[1], rng.random()))
    assert agreed(SEARCH, hits(*pairs), hits(*shuffled))


@given(st.lists(st.tuples(st.integers(0, 9), SCORES), unique_by=lambda pair: pair[0], max_size=8), st.randoms())
def test_a_permutation_across_ties_is_rejected(pairs: list[tuple[int, float]], rng: random.Random) -> None:
    pairs.sort(key=lambda pair: -pair[1])
    ids = [i for i, _ in pairs]
    rng.shuffle(ids)
    moved = list(zip(ids, (s for _, s in pairs), strict=True))
    assert agreed(SEARCH, hits(*pairs), hits(*moved)) == (set(moved) == set(pairs))


@given(TABLES, st.randoms())
def test_unordered_rows_in_any_order(table: list[tuple[Any, ...]], rng: random.Random) -> None:
    shuffled = list(table)
    rng.shuffle(shuffled)
    assert agreed(SET, rows(*table), rows(*shuffled))


@given(TABLES, st.randoms())
def test_ordered_rows_only_inside_ties(table: list[tuple[Any, ...]], rng: random.Random) -> None:
    table.sort(key=lambda row: row[2])
    shuffled = sorted(table, key=lambda row: (row[2], rng.random()))
    assert agreed(ORDERED, rows(*table), rows(*shuffled))
    rng.shuffle(shuffled)
    same = [row[2] for row in shuffled] == [row[2] for row in table]
    assert agreed(ORDERED, rows(*table), rows(*shuffled)) == same


@given(TABLES, STEPS, st.data())
def test_one_changed_value_is_always_found(table: list[tuple[Any, ...]], step: SqlStep, data: st.DataObject) -> None:
    assume(table)
    i = data.draw(st.integers(0, len(table) - 1))
    j = data.draw(st.integers(0, 2))
    changed = [list(row) for row in table]
    changed[i][j] = "something else"
    assert not agreed(step, rows(*table), rows(*(tuple(row) for row in changed)))


@given(TABLES, STEPS, st.data())
def test_one_row_more_or_less_is_always_found(table: list[tuple[Any, ...]], step: SqlStep, data: st.DataObject) -> None:
    assume(table)
    i = data.draw(st.integers(0, len(table) - 1))
    shorter = table[:i] + table[i + 1 :]
    assert not agreed(step, rows(*table), rows(*shorter))
    assert not agreed(step, rows(*shorter), rows(*table))
    assert not agreed(step, rows(*table), rows(*table[:i], table[i], *table[i:]))


@given(TABLES, TABLES, STEPS)
def test_the_verdict_is_symmetric_and_consistent(left: Any, right: Any, step: SqlStep) -> None:
    step = step.model_copy(update={"sql": step.sql, "ordered": False})
    assert agreed(step, rows(*left), rows(*right)) == agreed(step, rows(*right), rows(*left))


# --- reports -------------------------------------------------------------------------------------------------


def bundle(*steps: Step) -> Incident:
    return Incident(incident="1234", environment="prod", steps=steps, masked="k1")


def test_report() -> None:
    steps = (
        SEARCH.model_copy(update={"expect": hits((1, 0.9), (2, float("nan")))}),
        SET.model_copy(update={"expect": Expected(error="57014 timeout")}),
    )
    good = verdict(
        bundle(*steps),
        [
            StepResult(
                ids=(1, 2),
                scores=(0.9, float("nan")),
                columns=("payload",),
                rows=(({"text": "text of 1"},), ({"text": "text of 2"},)),
                seconds=0.25,
            ),
            StepResult(error="57014 canceling", seconds=0.5),
        ],
    )
    assert good.reproduced and good.seconds == 0.75 and good.masked == "k1"
    assert explain(good).splitlines() == [
        "incident 1234: reproduced (2 of 2 steps gave what production gave)",
        "  search: reproduced, 2 results, all the same",
        "  list: reproduced, failed as in production: 57014",
    ]
    bad = verdict(
        bundle(*steps), {"search": StepResult(columns=("payload",)), "list": StepResult(columns=("a",), rows=((1,),))}
    )
    assert not bad.reproduced
    assert explain(bad).splitlines() == [
        "incident 1234: NOT reproduced (0 of 2 steps gave what production gave)",
        "  search: not reproduced",
        "    2 that production returned are missing",
        "  list: not reproduced",
        "    it does not fail here as it did in production: 57014 timeout",
    ]
    plain = json.loads(json.dumps(bad.to_json(), allow_nan=False))
    assert plain["incident"] == "1234" and plain["reproduced"] is False
    assert plain["steps"][0]["differences"][0]["kind"] == "missing"
    assert plain["steps"][0]["identical_ids"] is False


def test_an_unrecorded_step_cannot_be_judged() -> None:
    with pytest.raises(UsageError, match="'search' of incident 1234 does not say"):
        verdict(bundle(SEARCH), [StepResult()])


def test_long_values_are_cut_where_they_differ() -> None:
    text = "x" * 5000
    found = compare(SET, rows((1, text + "A", 1)), rows((1, text + "B", 1)))
    ((label, left, right),) = side_by_side(found)
    assert label == "row 1: body"
    assert left.startswith("…x") and left.endswith("xA") and right.endswith("xB") and len(left) <= 160


def test_many_differences_are_counted() -> None:
    found = compare(SEARCH, hits(*((i, 0.5) for i in range(100))), hits())
    assert len(found.differences) == 100
    assert side_by_side(found)[-1] == ("and 40 more", "", "")


def test_a_status_alone_is_an_expectation() -> None:
    step = HttpStep(id="ask", store="api", path="/search")
    answer = Expected(columns=("status", "body"), rows=((200, {"hits": [1, 2]}),))
    for expected in (
        Expected(columns=("status",), rows=((200,),)),
        Expected(rows=((200,),)),
        Expected(rows=((200, {"hits": [1, 2]}),)),
    ):
        assert agreed(step, expected, answer)
    assert not agreed(step, Expected(rows=((503,),)), answer)
    assert not agreed(step, Expected(rows=((200, {"hits": [1]}),)), answer)
    assert not agreed(step, Expected(), answer)
    with pytest.raises(ValueError, match="its status, or its status and its body"):
        HttpStep(id="ask", store="api", path="/search", expect=Expected(rows=((200, {}, 3),)))
