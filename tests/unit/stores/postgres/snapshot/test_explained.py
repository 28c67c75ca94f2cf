"""What is told of a restore that fails: which object, and never a value of a row."""

from __future__ import annotations

import pytest

from envclone.errors import CommandError, ResourceError
from envclone.stores.postgres.snapshot.logical.cluster import _explained


def told(stderr: str) -> str:
    error = _explained(CommandError("pg_restore failed", argv=["pg_restore"], returncode=1, stderr=stderr))
    assert error.hint
    return str(error)


@pytest.mark.parametrize(
    ("stderr", "said"),
    [
        (
            'pg_restore: error: COPY failed for table "people": ERROR:  invalid input syntax for type integer: "Zoe"\n'
            'CONTEXT:  COPY people, line 1, column n: "Zoe"',
            "restoring the rows of people failed",
        ),
        (
            "pg_restore: while PROCESSING TOC:\n"
            "pg_restore: from TOC entry 31; 2606 7 CONSTRAINT desk people key owner\n"
            'pg_restore: error: could not execute query: ERROR:  could not create unique index "key"\n'
            "DETAIL:  Key (name)=(Zoe) is duplicated.",
            'restoring CONSTRAINT desk people key owner failed: could not create unique index "key"',
        ),
        (
            "pg_restore: from TOC entry 9; 1255 7 FUNCTION public f() owner\n"
            "pg_restore: error: could not execute query: ERROR:  only superuser can define a leakproof function",
            "restoring FUNCTION public f() owner failed: only superuser can define a leakproof function",
        ),
        (
            "pg_restore: from TOC entry 9; 1255 7 INDEX public i owner\n"
            "pg_restore: error: could not execute query: ERROR:  permission denied for Zoe, value of a row",
            "restoring INDEX public i owner failed",
        ),
        ("pg_restore: error: ERROR:  Zoe was here", "restoring an entry of the dump failed"),
    ],
)
def test_objects_are_named_and_values_are_not(stderr: str, said: str) -> None:
    assert told(stderr) == said


def test_a_full_disk_is_told_as_such() -> None:
    error = CommandError("x", argv=["pg_restore"], returncode=1, stderr="ERROR: No space left on device")
    assert isinstance(_explained(error), ResourceError)
