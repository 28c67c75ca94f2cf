"""No key decides whether an image passes: the same databases under several new keys, ten images in all."""

from __future__ import annotations

import pytest

from tests.benchmarks.keys import measure

pytestmark = pytest.mark.real


@pytest.mark.parametrize(("name", "keys"), [("chinook", 3), ("customers", 3), ("types", 2)])
def test_no_key_is_refused(name: str, keys: int) -> None:
    found = measure(name, keys)
    assert found["refused"] == 0, found["said"]
