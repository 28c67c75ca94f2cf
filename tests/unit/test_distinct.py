from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from envclone.distinct import Distinct


@given(st.lists(st.lists(st.text(max_size=4), max_size=30), max_size=20))
def test_each_text_once_in_the_order_of_its_coming(batches: list[list[str]]) -> None:
    distinct = Distinct()
    expected: dict[str, None] = {}
    for batch in batches:
        new = distinct.add(batch)
        assert new == list(dict.fromkeys(text for text in batch if text not in expected))
        expected.update(dict.fromkeys(batch))
    assert list(distinct) == list(expected)
    assert len(distinct) == len(expected)
    assert all(distinct[i] == text for i, text in enumerate(expected))
