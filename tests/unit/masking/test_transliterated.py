"""Names as systems write them that know ASCII alone."""

from __future__ import annotations

from unicodedata import normalize

import pytest

from envclone.masking.corpus import CorpusBuilder
from envclone.masking.masks import MaskSet
from envclone.masking.transliterated import in_lines, in_lines_too, of_lines, transliterated, with_transliterated
from envclone.packed import pack
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


def test_an_address_is_written_over_lines_and_in_cells() -> None:
    assert in_lines("Lindenweg 4, 10115 Berlin") == ("Lindenweg 4 10115 Berlin",)
    assert in_lines("Lindenweg 4,\r\n10115 Berlin") == ("Lindenweg 4\r\n10115 Berlin", "Lindenweg 4, 10115 Berlin")
    assert in_lines("Lindenweg, Berlin") == in_lines("Lindenweg 4") == in_lines("") == ()


def test_packed_addresses_are_as_one_by_one() -> None:
    said = ["Lindenweg 4, 10115 Berlin", None, "4,5", "a, b", "1, 2, 3", "Am Bach 7\n10115 Berlin", "7,", "é, 4", ""]
    values = pack(said)
    ways = [*in_lines_too(values).texts(), *of_lines(values)]
    plain = [text for text in said if text is not None and text.isascii()]
    assert {way for way in ways if way is not None} == {way for text in plain for way in in_lines(text)}
