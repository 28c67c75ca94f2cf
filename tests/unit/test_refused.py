"""A mask that refuses: the row of the value is found in a few calls, and the value is not said."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from envclone.errors import UnsafeError
from envclone.refused import named, refused


@pytest.mark.parametrize("wrong", [[0], [500], [998], [3, 700], [999]])
def test_the_first_value_that_is_refused_is_found(wrong: list[int]) -> None:
    calls = []

    def mask(values: Sequence[str]) -> list[str]:
        calls.append(len(values))
        if any(int(value) in wrong for value in values):
            raise UnsafeError("public.t.c: it is not in its form", hint="redact it")
        return list(values)

    values = [str(i) for i in range(1000)]
    said = refused(
        UnsafeError("public.t.c: it is not", hint="redact"), "public.t.c", mask, values, lambda k: f"row {k}"
    )
    assert said.message == f"public.t.c, row {min(wrong)}: it is not"
    assert (said.hint, said.exit_code) == ("redact", 4)
    assert len(calls) <= 20


def test_what_is_refused_only_together_is_said_of_the_rows() -> None:
    said = refused(UnsafeError("two are equal"), "t.c", list, ["a"] * 8, lambda k: f"row {k}")
    assert said.message == "t.c, row 0 to row 7: two are equal"


def test_only_keys_that_name_nobody_are_shown() -> None:
    assert named([("id", 7), ("login", "wquenzel")], "ctid (0,1)") == "id=7, ctid (0,1)"
    assert named([], "ctid (0,1)") == "ctid (0,1)"


def test_a_hook_that_has_ended_is_not_asked_again() -> None:
    def mask(values: Sequence[str]) -> list[str]:
        raise AssertionError("asked again")

    said = refused(UnsafeError("the hook failed", ended=True), "t.c", mask, ["a"] * 8, lambda k: f"row {k}")
    assert said.message == "t.c, row 0 to row 7: the hook failed"
