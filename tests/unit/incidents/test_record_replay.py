"""Recording fills in what was returned and how it is compared; replay runs the same steps and judges."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from envclone.errors import UnreachableError, UnsafeError, UsageError
from envclone.incidents.bundle import Expected, Incident, SqlStep, Step, VectorStep
from envclone.incidents.record import record
from envclone.incidents.replay import replay
from envclone.models import StepResult


class Scripted:
    """Answers each step as told, and remembers what was asked. (The real runners are tested with their engines.)"""

    def __init__(self, **answers: StepResult | Exception) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def settled(self, step: Step) -> Step:
        """The step as it is: nobody asks but this connection."""
        return step

    def examine(self, step: Step) -> list[str]:
        return []

    def run(self, step: Step) -> StepResult:
        self.asked.append(step.id)
        answer = self.answers[step.id]
        if isinstance(answer, Exception):
            raise answer
        return answer


def sql(id: str, text: str, **more: Any) -> SqlStep:
    return SqlStep(id=id, store="main", sql=text, **more)


def incident(*steps: Step, **more: Any) -> Incident:
    return Incident(incident="1234", environment="prod", steps=steps, **more)


SEARCH = VectorStep(id="search", store="kb", collection="c", vector=[1.0])
HITS = StepResult(columns=("payload",), rows=(({"a": 1},),), ids=(7,), scores=(0.5,), seconds=0.1)


def recorded(step: Step, result: StepResult) -> Any:
    before = dt.datetime.now(dt.UTC)
    done = record(incident(step), {step.store: Scripted(**{step.id: result})})
    assert done.recorded_at is not None and before <= done.recorded_at <= dt.datetime.now(dt.UTC)
    return done.steps[0]


def test_a_search() -> None:
    assert recorded(SEARCH, HITS).expect == Expected(columns=("payload",), rows=(({"a": 1},),), ids=(7,), scores=(0.5,))


def test_what_is_found_out_is_written_down() -> None:
    result = StepResult(columns=("customer_id", "id", "d"), rows=((1, 5, 0.1), (1, 6, 0.2)))
    step = recorded(sql("a", "SELECT customer_id, id, e <#> %s AS d FROM t ORDER BY d", parameters=[[1.0]]), result)
    assert (step.ordered, step.score, step.key) == (True, "d", "id")
    step = recorded(sql("a", "SELECT customer_id, id, e <#> %s FROM t ORDER BY 3", parameters=[[1.0]]), result)
    assert (step.ordered, step.score) == (True, "d")
    step = recorded(sql("a", "SELECT customer_id, id, d FROM t"), result)
    assert (step.ordered, step.score, step.key) == (False, None, "id")
    step = recorded(sql("a", "SELECT customer_id, id, d FROM t ORDER BY id, d"), result)
    assert (step.ordered, step.score) == (True, None)


def test_what_was_given_stays() -> None:
    result = StepResult(columns=("id", "d"), rows=((5, 0.1),), ids=(0.1,), scores=(5.0,))  # type: ignore[arg-type]
    step = recorded(sql("a", "SELECT id, d FROM t ORDER BY d", ordered=False, score="id", key="d"), result)
    assert (step.ordered, step.score, step.key) == (False, "id", "d")
    assert step.expect.ids == step.expect.scores == ()  # they are in the rows


def test_a_column_that_repeats_identifies_nothing() -> None:
    result = StepResult(columns=("id", "a_id", "id"), rows=((1, 2, 3), (2, 2, 4)))
    assert recorded(sql("a", "SELECT 1 ORDER BY id"), result).key is None
    assert recorded(sql("a", "SELECT 1 ORDER BY id"), result).score is None


def test_a_failure_is_recorded_and_an_absent_store_is_not() -> None:
    assert recorded(sql("a", "SELECT 1/0"), StepResult(error="22012 division by zero")).expect.error.startswith("22012")
    with pytest.raises(UnreachableError):
        record(incident(SEARCH), {"kb": Scripted(search=UnreachableError("gone"))})


def test_nothing_runs_when_a_store_is_missing() -> None:
    runner = Scripted(a=StepResult())
    with pytest.raises(UsageError, match="names the store 'kb'"):
        record(incident(sql("a", "SELECT 1"), SEARCH), {"main": runner})
    with pytest.raises(UsageError, match="names the store 'kb'"):
        replay(incident(sql("a", "SELECT 1"), SEARCH, masked="k"), {"main": runner})
    assert runner.asked == []


def test_a_masked_bundle_is_not_recorded_and_a_raw_one_is_not_replayed() -> None:
    with pytest.raises(UsageError, match="masked bundle"):
        record(incident(SEARCH, masked="k"), {"kb": Scripted(search=HITS)})
    with pytest.raises(UnsafeError, match="is raw"):
        replay(incident(SEARCH), {"kb": Scripted(search=HITS)})


def test_record_then_replay() -> None:
    rows = StepResult(columns=("id",), rows=((1,), (2,)), ids=(1, 2), seconds=0.2)
    steps = (sql("a", "SELECT id FROM t"), SEARCH, sql("b", "SELECT id FROM t ORDER BY id"))
    bundle = record(incident(*steps), {"main": Scripted(a=rows, b=rows), "kb": Scripted(search=HITS)})
    bundle = bundle.model_copy(update={"masked": "k"})
    turned = StepResult(columns=("id",), rows=((2,), (1,)), ids=(2, 1), seconds=0.3)
    main, kb = Scripted(a=turned, b=rows), Scripted(search=HITS)
    report = replay(bundle, {"main": main, "kb": kb})
    assert report.reproduced and report.masked == "k" and report.seconds == pytest.approx(0.6)
    assert (main.asked, kb.asked) == (["a", "b"], ["search"])
    report = replay(bundle, {"main": Scripted(a=turned, b=turned), "kb": kb})
    assert [step.reproduced for step in report.steps] == [True, True, False]


def test_every_step_must_have_been_recorded() -> None:
    runner = Scripted(search=HITS)
    with pytest.raises(UsageError, match="'search' of incident 1234"):
        replay(incident(SEARCH, masked="k"), {"kb": runner})
    assert runner.asked == []
