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
            "restoring failed at the rows of people",
        ),
        (
            'pg_restore: error: could not execute query: ERROR:  could not create unique index "key"\n'
            "DETAIL:  Key (name)=(Zoe) is duplicated.\n"
            "Command was: ALTER TABLE ONLY desk.people\n    ADD CONSTRAINT key UNIQUE (name);",
            'restoring failed at ALTER TABLE ONLY desk.people: could not create unique index "key"',
        ),
        (
            "pg_restore: error: could not execute query: ERROR:  only superuser can define a leakproof function\n"
            "Command was: CREATE FUNCTION public.f() RETURNS text LANGUAGE sql AS 'Zoe';",
            "restoring failed at CREATE FUNCTION public.f: only superuser can define a leakproof function",
        ),
        (
            "pg_restore: error: could not execute query: ERROR:  permission denied for Zoe, value of a row\n"
            'Command was: CREATE INDEX "An Index" ON public.t (name);',
            'restoring failed at CREATE INDEX "An Index"',
        ),
        ("pg_restore: error: ERROR:  Zoe was here", "restoring failed at an entry of the dump"),
    ],
)
def test_objects_are_named_and_values_are_not(stderr: str, said: str) -> None:
    assert told(stderr) == said


def test_a_full_disk_is_told_as_such() -> None:
    error = CommandError("x", argv=["pg_restore"], returncode=1, stderr="ERROR: No space left on device")
    assert isinstance(_explained(error), ResourceError)
