"""What of the answers of vector indexes keeps an image from being made."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, cast

import pytest

from envclone.models import Probe, Questions, Unanswered
from envclone.protocols import StoreSession
from envclone.verifier.fidelity import fidelity, lowest, unfaithful

ASKED = Questions("public.v", (Probe("public.v", "public.t", "[1]"), Probe("public.v", "public.t", "[2]")))
NEAR = [["1", "0.5"]]


class Session:
    """A store that gives these answers."""

    def __init__(self, questions: Sequence[Questions], answers: Sequence[Any]) -> None:
        self._questions, self._answers = questions, answers

    def probes(self, most: int) -> Sequence[Questions]:
        return self._questions

    def answers(self, probes: Sequence[Probe], placed: Collection[str]) -> Sequence[Any]:
        assert len(probes) == len(self._answers)
        return self._answers


def _found(questions: Questions, before: Sequence[Any], after: Sequence[Any]) -> dict[str, Any]:
    raw, clean = (cast(StoreSession, Session([questions], answers)) for answers in (before, after))
    return fidelity({"main": raw}, {"main": clean}, {"main": []})


def test_equal_answers_pass_and_others_are_counted() -> None:
    found = _found(ASKED, [NEAR, NEAR], [NEAR, []])
    assert lowest(found) == 0.5 and not unfaithful(found, 0.5, {})
    (problem,) = unfaithful(found, 0.6, {})
    assert "main: public.v answers 1 of 2 questions" in problem


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ([NEAR, Unanswered("it broke")], [NEAR, NEAR], "in production's copy, it broke"),
        ([NEAR, NEAR], [Unanswered("the planner does not use it")] * 2, "in the clone, the planner does not use it"),
        ([Unanswered("no")] * 2, [Unanswered("no")] * 2, "no"),
    ],
)
def test_an_index_that_did_not_answer_is_a_finding(before: Any, after: Any, why: str) -> None:
    found = _found(ASKED, before, after)
    (problem,) = unfaithful(found, 0.0, {})
    assert "main: the vector index public.v could not be asked: " in problem and why in problem
    assert lowest(found) is None
    assert not unfaithful(found, 1.0, {"main.public.v": "known"})
    assert found["main"]["public.v"]["accepted"] == "known"


def test_an_index_that_cannot_be_asked_at_all_is_a_finding_and_an_empty_one_is_not() -> None:
    assert unfaithful(_found(Questions("public.v", unasked="no distance"), [], []), 0.0, {})
    found = _found(Questions("public.v", empty="no row is in it"), [], [])
    assert not unfaithful(found, 1.0, {}) and found["main"]["public.v"]["empty"] == "no row is in it"


def test_an_acceptance_that_names_no_index_is_a_problem() -> None:
    (problem,) = unfaithful(_found(ASKED, [NEAR, NEAR], [NEAR, NEAR]), 1.0, {"main.public.w": "gone"})
    assert "main.public.w" in problem and "there are: main.public.v" in problem


def test_an_index_that_is_made_of_a_masked_column_says_of_which() -> None:
    asked = Questions("public.v", ASKED.probes, reads=("public.t.email", "public.t.emb"))
    found = _found(asked, [NEAR, NEAR], [NEAR, []])
    (problem,) = unfaithful(found, 1.0, {}, {"main": {"public.t.email", "public.t.name"}})
    assert problem.endswith("; it is built on public.t.email, whose pseudonyms make another index of it")
    (problem,) = unfaithful(found, 1.0, {}, {"main": set()})
    assert "built on" not in problem
    assert "reads" not in _found(asked, [NEAR, NEAR], [NEAR, NEAR])["main"]["public.v"]
