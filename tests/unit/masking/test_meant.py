from __future__ import annotations

import pytest

from envclone.masking.corpus import CorpusBuilder
from envclone.masking.freetext import FreeText
from envclone.masking.makers import Makers
from envclone.masking.meant import meant
from envclone.verifier.originals import strong
from envclone.verifier.subjects import Part, parts_of


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("Jane Doe", "person"),
        ("Dr. Fatima O'Neil", "person"),
        ("Zoë Ångström", "person"),
        ("jane@corp.example", "email"),
        ("+49 30 1234567", "phone"),
        ("Lindenweg 4, Ulm", "redact"),
        ("Quenzelmann, W. (VIP)", "redact"),
        ("$2b$12$abcdefghijkl", "redact"),
        ("山田太郎山田太郎山田太郎", "redact"),
        ("orchard winter", ""),
        ("Please call back tomorrow.", ""),
        ("notification", ""),
        ("In progress", ""),
        ("Blue", ""),
        ("", ""),
    ],
)
def test_what_a_value_is_by_its_looks(value: str, kind: str) -> None:
    assert meant(value) == kind
    assert strong("null", value) == bool(kind)


def test_a_name_under_a_constant_has_the_parts_of_a_name() -> None:
    assert parts_of("constant", "Jane Doe") == [("jane", Part.NAME), ("doe", Part.NAME)]
    assert parts_of("constant", "Lindenweg 4, Ulm") == []


def test_free_text_knows_what_a_constant_masks() -> None:
    """What the verifier would accuse in a text is masked there."""
    builder = CorpusBuilder()
    builder.add("constant", ["Wolfhard Quenzelmann, Lindenweg 4", "orchard winter", "x" * 300])
    builder.add("null", ["Fatima Quuxing"])
    text = FreeText(builder.build(), Makers(b"k" * 32))
    [masked] = text.mask(["to Wolfhard Quenzelmann, Lindenweg 4 and to Quuxing, an orchard winter"])
    assert "Wolfhard" not in masked and "Lindenweg" not in masked and "Quuxing" not in masked
    assert masked.endswith("an orchard winter")
