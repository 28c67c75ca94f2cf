"""Texts in one block are searched as the same texts in a list are."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from envclone.packed import TextBlock
from envclone.verifier.loose import Texts

VALUES: list[str | None] = [
    "Jane_Doe", None, "", "jane%40corp.example &amp; x", "\\u00e9", "\\ud83d\\ude00", "GRÜSSE", "Straße", None,
    "a&eacute;", base64.b64encode(b"Wolfhard Quenzelmann was here, twice").decode(), "e\u0301", "plain words",
]  # fmt: skip


def _block(values: list[str | None]) -> TextBlock:
    block = "\0".join(value or "" for value in values).encode()
    return TextBlock(block, np.array([value is None for value in values], np.bool_))


@pytest.mark.parametrize("decoded", [True, False])
@pytest.mark.parametrize("values", [VALUES, VALUES[:3], ["plain", "ASCII.only"], [None], [""], [None, None], []])
def test_a_block_is_searched_as_a_list(values: list[str | None], decoded: bool) -> None:
    block = _block(values)
    assert list(block) == values
    one, other = Texts(values, decoded=decoded), Texts(block, decoded=decoded)
    assert one.data == other.data
    assert one.owners == other.owners
    assert (one.starts.tolist(), one.ends.tolist()) == (other.starts.tolist(), other.ends.tolist())


def test_a_block_of_other_many_texts_is_none() -> None:
    with pytest.raises(ValueError, match="zero"):
        TextBlock(b"a\0b\0c", np.zeros(2, np.bool_))
