from __future__ import annotations

import pytest

from envclone.masking.outline import shape


@pytest.mark.parametrize(
    ("value", "outline"),
    [
        ("Zanna Quimby", "Xxxxx Xxxxxx"),
        ("zq7@corp.example", "xx#@xxxx.xxxxxxx"),
        ("+49 (0)151-23", "+## (#)###-##"),
        ("Łódź\n٣", "Xxxx #"),
        ("*** --", ""),
        ("{1}", "?#?"),
        ("a" * 50, "x" * 40 + "…"),
    ],
)
def test_a_shape_says_nothing(value: str, outline: str) -> None:
    assert shape(value) == outline
