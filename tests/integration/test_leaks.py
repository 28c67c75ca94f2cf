"""Planted leaks: a part of `tests.benchmarks.leaks`, every place, every twelfth spelling, 200 innocent texts."""

from __future__ import annotations

import pytest

from tests.benchmarks.leaks import measure

pytestmark = pytest.mark.real


def test_every_planted_identity_is_masked_or_refused_and_innocent_texts_pass() -> None:
    found = measure(share=12, texts=200)
    assert found["kept"]["missed"] == []
    assert found["masked"]["missed"] == []
    assert found["kept"]["planted"] >= 160
    assert found["removed"]["left"] == []
    assert found["removed"]["in production's files"] >= 55
    assert found["innocent"]["refused"] <= 2, found["innocent"]["said"]
