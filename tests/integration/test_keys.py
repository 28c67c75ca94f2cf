"""No key decides whether an image passes: the same databases under several keys, a dozen images in all.

The keys are the same in each run; `python -m tests.benchmarks.keys` draws new ones, as many as one likes.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.benchmarks.keys import measure

pytestmark = pytest.mark.real


@pytest.mark.parametrize(
    ("name", "keys", "how"),
    [
        ("chinook", 2, {}),
        ("customers", 2, {}),
        ("types", 2, {}),
        ("joined names", 3, {}),
        ("crowded", 2, {"people": 800, "letters": 400}),
        ("torture", 1, {"seeds": range(3)}),
    ],
)
def test_no_key_is_refused(name: str, keys: int, how: dict[str, Any]) -> None:
    found = measure(name, keys, seed=1, **how)
    assert found["refused"] == 0, found["said"]
