"""Names as systems write them that know ASCII alone."""

from __future__ import annotations

from unicodedata import normalize

import pytest

from envclone.masking.corpus import CorpusBuilder
from envclone.masking.masks import MaskSet
from envclone.masking.transliterated import transliterated, with_transliterated
from tests.unit.masking.conftest import KEY


@pytest.mark.parametrize(
    ("name", "ways"),
    [
        ("Jürgen Müßgang", ("Jurgen Mussgang", "Juergen Muessgang")),
        (normalize("NFD", "Jürgen"), ("Jurgen", "Juergen")),
        ("José Núñez", ("Jose Nunez",)),
        ("Søren Ångström", ("Soren Angstrom", "Soeren Aangstroem")),
        ("Łukasz Żółty", ("Lukasz Zolty",)),
        ("Jane Doe", ()),
        ("Иван Петров", ()),
        ("山田太郎", ()),
    ],
)
def test_ways_to_write_a_name_in_ascii(name: str, ways: tuple[str, ...]) -> None:
    assert transliterated(name) == ways
    assert list(with_transliterated([name, "x"])) == [name, *ways, "x"]


def test_free_text_knows_them() -> None:
    builder = CorpusBuilder()
    builder.add("person", ["Wülfhard Quänzelmann"])
    masks = MaskSet(KEY, {}, builder.build())
    text = "an Wuelfhard Quaenzelmann und Wulfhard Quanzelmann"
    (after,) = masks.text([text])
    assert not {"Wuelfhard", "Quaenzelmann", "Wulfhard", "Quanzelmann"} & set(after.split())
