"""Plans as PostgreSQL writes them, in one form; and where two of them part."""

from __future__ import annotations

import json
from typing import Any

import pytest

from envclone.incidents.bundle import SqlStep, VectorStep
from envclone.incidents.plans import difference, nodes, planned
from envclone.models import StepResult

TEXT = """\
Query Text: SELECT t.id -- Seq Scan on nothing  (cost=
Limit  (cost=0.42..9.91 rows=3 width=8) (actual time=0.1..0.2 rows=3 loops=1)
  ->  Nested Loop Left Join  (cost=0.42..316.9 rows=100 width=8)
        Join Filter: (c.id = t.customer)
        ->  Parallel Index Scan Backward using "Tickets_embedding_idx" on public.tickets t  (cost=0.1..1.0 rows=1)
              Order By: (embedding <-> '[1,2]'::vector)
        ->  Bitmap Heap Scan on customers  (cost=0.1..1.0 rows=1 width=4)
              ->  Bitmap Index Scan on customers_pkey  (cost=0.1..1.0 rows=1 width=0)
  SubPlan 1
    ->  Finalize HashAggregate  (cost=0.1..1.0 rows=1 width=8)
          ->  Function Scan on generate_series g  (cost=0.1..1.0 rows=1 width=4)
"""
NODES = (
    "Limit", "Nested Loop Left Join", "Parallel Index Scan Backward using Tickets_embedding_idx on tickets",
    "Bitmap Heap Scan on customers", "Bitmap Index Scan on customers_pkey", "Finalize HashAggregate",
    "Function Scan on generate_series",
)  # fmt: skip


def _node(kind: str, *inside: Any, **said: Any) -> dict[str, Any]:
    return {"Node Type": kind, **{key.replace("_", " "): value for key, value in said.items()}, "Plans": list(inside)}


JSON = _node(
    "Limit",
    _node(
        "Nested Loop",
        _node("Index Scan", Index_Name="Tickets_embedding_idx", Relation_Name="tickets", Alias="t",
              Scan_Direction="Backward", Parallel_Aware=True),
        _node("Bitmap Heap Scan", _node("Bitmap Index Scan", Index_Name="customers_pkey"), Relation_Name="customers"),
        Join_Type="Left",
    ),
    _node("Aggregate", _node("Function Scan", Function_Name="generate_series", Alias="g"), Strategy="Hashed",
          Partial_Mode="Finalize"),
)  # fmt: skip


def test_both_forms_give_the_same_nodes() -> None:
    assert nodes(TEXT) == NODES
    for document in ({"Query Text": "SELECT 1", "Plan": JSON}, [{"Plan": JSON}], json.dumps([{"Plan": JSON}])):
        assert nodes(document) == NODES


@pytest.mark.parametrize("plan", [None, "", "x", "{", "[]", [], {}, {"Plan": 7}, [[1]], 7, "SELECT (cost="])
def test_what_is_no_plan_has_no_nodes(plan: Any) -> None:
    assert nodes(plan) == ()


def test_the_first_node_that_differs_is_named() -> None:
    assert difference(NODES, NODES) == ""
    assert difference(["Limit", "Seq Scan on a"], ["Limit", "Index Scan using b on a"]) == (
        "Index Scan using b on a where production had Seq Scan on a"
    )
    assert difference(["Limit"], ["Limit", "Sort"]) == "Sort where production had nothing"


class _Runner:
    def __init__(self, result: StepResult) -> None:
        self.result, self.asked = result, ""

    def run(self, step: Any) -> StepResult:
        self.asked = step.sql
        return self.result


def test_a_plan_is_asked_for_with_all_that_the_step_has() -> None:
    step = SqlStep(id="a", store="main", sql="SELECT 1 WHERE %s", parameters=[True], settings={"jit": "off"})
    runner = _Runner(StepResult(columns=("QUERY PLAN",), rows=(([{"Plan": _node("Result")}],),)))
    assert planned(step, runner) == ("Result",) and runner.asked == "EXPLAIN (FORMAT JSON) SELECT 1 WHERE %s"
    assert planned(step, _Runner(StepResult(error="42501 no"))) == ()
    assert planned(step.model_copy(update={"sql": "EXPLAIN SELECT 1"}), runner) == ()
    assert planned(VectorStep(id="b", store="kb", collection="a", vector=[1.0], limit=1), runner) == ()
