"""The limits of a session: calls in a minute, and how large arguments may be."""

from __future__ import annotations

from typing import Any

import pytest

from envclone.errors import BusyError, UsageError
from envclone.mcp.limits import Meter, require_small


def test_calls_in_a_minute_are_counted_and_refused_ones_are_not() -> None:
    now = 0.0
    meter = Meter(3, clock=lambda: now)
    for _ in range(3):
        meter.count()
    now = 30.0
    for _ in range(5):
        with pytest.raises(BusyError, match="more than 3 calls") as caught:
            meter.count()
    assert caught.value.hint == "call again in 30 s"
    now = 60.5
    meter.count()


def _deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"must": [value]}
    return value


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"filter": _deep(200)}, "nested deeper"),
        ({"vector": [0.5] * 30_000}, "more than 20000 values"),
        ({"sql": "x" * 200_000}, "longer than"),
        ({"x" * 200_000: 1}, "longer than"),
    ],
)
def test_large_arguments_are_refused(arguments: Any, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        require_small(arguments)


def test_ordinary_ones_are_not() -> None:
    require_small({"vector": [0.5] * 3072, "filter": _deep(8), "sql": "SELECT 1" * 1000})
