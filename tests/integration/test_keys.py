"""No key decides whether an image passes: the same database under several new keys."""

from __future__ import annotations

import pytest

from tests.benchmarks.keys import DATABASES, measure

pytestmark = pytest.mark.real


@pytest.mark.parametrize("name", DATABASES)
def test_no_key_is_refused(name: str) -> None:
    found = measure(name, keys=5)
    assert found["refused"] == 0, found["said"]
