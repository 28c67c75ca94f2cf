"""Commands over broken files, hooks, keys and bundles: each ends with a code and a word, and never in a bug."""

from __future__ import annotations

import pytest

from tests.benchmarks.broken import cases, measure

pytestmark = pytest.mark.real


def test_a_sample_of_combinations_has_no_bug() -> None:
    found = measure(16, seed=3)
    assert not found["bad"], found["bad"]
    assert sum(found["codes"].values()) == 16 and set(found["codes"]) - {"0"}


def test_a_seed_makes_the_same_combinations() -> None:
    assert cases(60, 5) == cases(60, 5) != cases(60, 6)
