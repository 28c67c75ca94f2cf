"""What stands somewhere by chance is known by its field, its original and its very value."""

from __future__ import annotations

from pathlib import Path

import pytest

from envclone import numberset
from envclone.shelf import Shelf
from envclone.verifier.coincidences import Coincidences, by_address
from envclone.verifier.foldedtexts import SEPARATOR

NAME, OTHER = "main.public.people.name", "vectors.notes.name"


@pytest.mark.parametrize("fresh", [1, 1 << 14])
def test_a_chance_is_one_of_its_field_its_original_and_its_value(
    fresh: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numberset, "_FRESH", fresh)
    held = Coincidences(Shelf(tmp_path))
    assert not held.anywhere("main", 7) and not held.copied([NAME], b"jane doe")
    held.add(held.seen(NAME, 7, b"jane doe"))
    held.add(held.seen(OTHER, 8, b"jane roe"))
    assert held.copied([OTHER, NAME], b"jane doe")
    assert not held.copied([OTHER], b"jane doe")
    assert not held.copied([NAME], b"jane") and not held.copied([], b"jane doe")
    assert held.made_of([NAME], 7) and not held.made_of([NAME], 8) and not held.made_of([OTHER], 7)
    assert held.anywhere("main", 7) and held.anywhere("vectors", 8)
    assert not held.anywhere("main", 8) and not held.anywhere("vectors", 7) and not held.anywhere("nothing", 7)


def test_elements_of_a_list_are_values_of_their_own() -> None:
    held = Coincidences()
    held.add(held.seen(NAME, 7, SEPARATOR.join([b"jane doe", b"x"])))
    assert held.copied([NAME], b"jane doe") and held.copied([NAME], b"x") and not held.copied([NAME], b"jane")


def test_as_arrays_a_copy_of_the_process_hands_the_same_over() -> None:
    held = Coincidences()
    seen = {*held.seen(NAME, 7, b"jane doe"), *held.seen(OTHER, (1 << 32) - 1, b"jane roe")}
    for address, some in by_address(seen).items():
        held.take(address, *some)
    assert held.copied([NAME], b"jane doe") and held.made_of([OTHER], (1 << 32) - 1) and not held.made_of([NAME], 0)
