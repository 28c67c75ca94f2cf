from __future__ import annotations

import pytest

from envclone.masking.corpus import CorpusBuilder
from envclone.masking.freetext import FreeText
from envclone.masking.makers import Makers
from envclone.masking.meant import meant
from envclone.verifier.originals import strong
from envclone.verifier.subjects import parts_of


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("Jane Doe", "redact"),
        ("Dr. Fatima O'Neil", "redact"),
        ("Zoë Ångström", "redact"),
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


def test_such_a_value_says_something_as_a_whole_only() -> None:
    """'Rogers Canada' is a company: neither of its words is anybody's."""
    assert parts_of("constant", "Jane Doe") == parts_of("redact", "Rogers Canada") == []


def test_free_text_knows_what_a_constant_masks() -> None:
    """What the verifier would accuse in a text is masked there."""
    builder = CorpusBuilder()
    builder.add("constant", ["Wolfhard Quenzelmann, Lindenweg 4", "orchard winter", "x" * 300])
    builder.add("null", ["Fatima Quuxing"])
    text = FreeText(builder.build(), Makers(b"k" * 32))
    [masked] = text.mask(["to Wolfhard Quenzelmann, Lindenweg 4 and to fatima Quuxing, an orchard winter"])
    assert "Wolfhard" not in masked and "Lindenweg" not in masked and "Quuxing" not in masked
    assert masked.endswith("an orchard winter")
