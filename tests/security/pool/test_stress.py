"""The stress test in short: `python -m tests.security.pool.stress` runs it as long as one likes."""

from __future__ import annotations

from tests.security.pool.stress import arena, run


def test_many_processes_in_one_pool() -> None:
    with arena() as (_, places):
        result = run(places, processes=6, minutes=0.1, seed=5)
    assert result.problems == []
    assert sum(result.commands.values()) >= 6
