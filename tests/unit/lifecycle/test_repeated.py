"""Runs of a replay that all begin in one state."""

from __future__ import annotations

from dataclasses import replace

from envclone.incidents.compare import ReplayReport
from envclone.lifecycle.replay import repeated
from envclone.models import Counters
from tests.unit.incidents.test_layers import INCIDENT, WHEN, _report, judged


def _one(changed: tuple[str, ...] = ()) -> ReplayReport:
    return replace(judged(_report(), INCIDENT, WHEN), changed=changed)


def test_what_only_reads_is_run_as_often_as_asked() -> None:
    made = repeated(lambda: _one(("main.public.t: 1 row",)), lambda: ("main.public.t: 1 row",), 3)
    assert made == [_one(("main.public.t: 1 row",))] * 3


def test_behind_a_run_that_writes_there_is_none() -> None:
    states = iter([(), ("main.public.log: 1 row inserted",)])
    made = repeated(_one, lambda: next(states), 5)
    assert len(made) == 2
    for one in made:
        assert one.notes[-1].startswith("2 of 5 runs were made: it writes (main.public.log: 1 row inserted)")
        assert "--branches 5" in one.notes[-1]


def test_behind_a_run_whose_rows_are_not_counted_yet_there_is_none() -> None:
    once = replace(_one(), evidence={"main": Counters(writing=2), "kb": Counters()})
    made = repeated(lambda: once, lambda: (), 5)
    assert len(made) == 1 and "1 of 5 runs were made: it writes (main: 2 transactions that wrote)" in made[0].notes[-1]
