"""The password from a command: used, never shown, and no shell between."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict

from envclone.config.schema import SourceConfig
from envclone.errors import ConfigError, UnreachableError
from envclone.stores.postgres.snapshot.access import dsn_of


def source(*command: str, dsn: str = "postgresql://reader@db.internal/app") -> SourceConfig:
    return SourceConfig.model_validate({"method": "physical", "dsn": dsn, "password_command": list(command)})


def test_the_password_is_what_the_command_prints() -> None:
    said = dsn_of(source(sys.executable, "-c", "print('a b\\'c; echo $HOME')"))
    assert conninfo_to_dict(said) == {
        "user": "reader", "host": "db.internal", "dbname": "app", "password": "a b'c; echo $HOME",
    }  # fmt: skip


def test_it_has_the_environment_and_no_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVCLONE_TEST_TOKEN", "t0ken")
    code = "import os, sys; print(os.environ['ENVCLONE_TEST_TOKEN'] + sys.argv[1])"
    assert conninfo_to_dict(dsn_of(source(sys.executable, "-c", code, "; ls | cat")))["password"] == "t0ken; ls | cat"


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import sys; print('hidden-word'); sys.stderr.write('hidden-word'); sys.exit(3)", "exit code 3"),
        ("print('hidden-word\\nhidden-word')", "2 lines"),
        ("pass", "0 lines"),
        ("print()", "1 lines"),
    ],
)
def test_what_it_says_is_never_shown(code: str, why: str) -> None:
    with pytest.raises(UnreachableError, match=why) as caught:
        dsn_of(source(sys.executable, "-c", code))
    shown = f"{caught.value} {caught.value.hint} {caught.value.context}"
    assert "hidden-word" not in shown and caught.value.hint
    assert caught.value.__cause__ is None


def test_a_command_that_is_not_there_and_a_dsn_that_cannot_be_read() -> None:
    with pytest.raises(UnreachableError, match=r"no-such-program.*not installed"):
        dsn_of(source("/no-such-program"))
    with pytest.raises(ConfigError, match="the DSN cannot be read") as caught:
        dsn_of(source(sys.executable, "-c", "print('x')", dsn="postgresql://u:hidden word%zz@h/x"))
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"method": "logical", "max_rate": "1m"}, "is for the method physical only"),
        ({"method": "physical", "jobs": 3}, "is for the method logical or provider only"),
        ({"method": "physical", "max_rate": "1k"}, "from 32k to 1g"),
        ({"method": "physical", "max_rate": "2g"}, "from 32k to 1g"),
    ],
)
def test_what_fits_no_method_is_refused(given: dict[str, Any], where: str) -> None:
    from envclone.config import checks

    source = {"dsn": "host=x", **SourceConfig.model_validate({"dsn": "host=x", **given}).model_dump(exclude_none=True)}
    assert any(where in text for _, text in checks.store({"kind": "postgres", "source": source}))
