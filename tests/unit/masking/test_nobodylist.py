"""The words of the list in all ways in which they are written: all of them, and each written out once."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from envclone.masking import nobodylist
from envclone.masking.masks import MaskSet
from envclone.masking.nobody import KINDS_OF_NOBODY, Nobody, usual
from envclone.masking.nobodylist import WORDED, every, known, listed
from tests.unit.masking.conftest import KEY, OTHER_KEY


@pytest.mark.parametrize("kind", sorted(KINDS_OF_NOBODY))
def test_a_list_and_what_is_added_are_as_if_each_word_was_written_alone(kind: str) -> None:
    words = listed(kind) | {"walk-in customer", "*@nobody.example", "x"}
    alone = {way for word in words for way in nobodylist._written(word)}
    assert every(kind, words) == (alone if kind in WORDED else words)
    assert known(kind) == every(kind, listed(kind)) <= every(kind, words)


def test_another_set_of_masks_writes_out_only_what_its_stack_file_adds(monkeypatch: pytest.MonkeyPatch) -> None:
    Nobody()
    written: list[str] = []
    real = nobodylist._written

    def recorded(word: str) -> Iterable[str]:
        if "@" not in word:  # an address is written in one way
            written.append(word)
        return real(word)

    monkeypatch.setattr(nobodylist, "_written", recorded)
    Nobody()
    assert not written
    assert Nobody({"person": ["Walk-in Customer"]}).holds("person", "<walk-in_customer>")
    assert written == ["walk-in customer"]


def test_masks_without_a_list_of_their_own_share_one() -> None:
    one, other = MaskSet(KEY, {}), MaskSet(OTHER_KEY, {})
    assert one.nobody is other.nobody is usual()
    assert one.nobody.digest == Nobody().digest
    own = MaskSet(KEY, {}, nobody=Nobody({"person": ["Walk-in Customer"]})).nobody
    assert own.holds("person", "walk-in customer") and not usual().holds("person", "walk-in customer")
