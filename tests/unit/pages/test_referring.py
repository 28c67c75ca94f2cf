"""What refers to nothing, in words."""

from __future__ import annotations

from envclone.pages.referring import referring


def test_counts_of_both_directions_and_examples() -> None:
    one = {"reference": "a.b -> c.d", "dangling": 1200, "dangling_in_production": 0}
    assert referring(one) == "1,200 dangle (production: 0)"
    both = {"examples": ["x", "y"], "unreferenced": 2, "unreferenced_in_production": 2, "unreferenced_examples": ["z"]}
    assert referring({**one, **both}) == (
        "1,200 dangle (production: 0), such as x, y; nothing refers to 2 (production: 2), such as z"
    )
