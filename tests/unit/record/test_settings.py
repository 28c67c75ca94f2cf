"""Settings in force, read out of statements as PostgreSQL would take them."""

from __future__ import annotations

import pytest

from envclone.record.settings import Settings, options


@pytest.mark.parametrize(
    ("sql", "parameters", "expected"),
    [
        ("SET hnsw.ef_search = 40", None, {"hnsw.ef_search": "40"}),
        ("set session hnsw.ef_search to '40'", None, {"hnsw.ef_search": "40"}),
        ("SET search_path TO shop, 'Other Schema', public", None, {"search_path": 'shop, "Other Schema", public'}),
        ("SET ROLE reader", None, {"role": "reader"}),
        ("SET TIME ZONE 'Europe/Berlin'", None, {"timezone": "Europe/Berlin"}),
        ("SET work_mem = '1MB'; SET enable_seqscan = off;", None, {"work_mem": "1MB", "enable_seqscan": "off"}),
        ("SET work_mem = %s", ["2MB"], {"work_mem": "2MB"}),
        ("SELECT set_config('app.user', %s, false)", ["jane"], {"app.user": "jane"}),
        ("SELECT %s, pg_catalog.set_config(%s, %s, false)", [1, "app.user", "jane"], {"app.user": "jane"}),
        ("SELECT set_config('app.user', %(u)s, false)", {"u": "jane"}, {"app.user": "jane"}),
        ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", None, {}),
        ("SET CONSTRAINTS ALL DEFERRED", None, {}),
        ("SELECT 1", None, {}),
        ("UPDATE t SET a = 1", None, {}),
    ],
)
def test_a_statement_sets(sql: str, parameters: object, expected: dict[str, str]) -> None:
    settings = Settings({})
    settings.ran(sql, parameters, within=False)  # type: ignore[arg-type]
    assert settings.session == expected


def test_local_ones_end_with_the_transaction() -> None:
    settings = Settings({})
    settings.ran("SET LOCAL hnsw.ef_search = 100", None, within=True)
    settings.ran("SELECT set_config('app.user', 'x', true)", None, within=True)
    assert settings.local == {"hnsw.ef_search": "100", "app.user": "x"} and settings.session == {}
    settings.ends(rolled_back=False)
    assert settings.local == {}


def test_a_rollback_takes_back_what_the_transaction_set() -> None:
    settings = Settings({})
    settings.ran("SET work_mem = '1MB'", None, within=False)
    settings.ran("SET work_mem = '2MB'", None, within=True)
    settings.ran("SET jit = off", None, within=True)
    settings.ran("ROLLBACK", None, within=False)
    assert settings.session == {"work_mem": "1MB"}
    settings.ran("SET work_mem = '3MB'", None, within=True)
    settings.ends(rolled_back=False)
    settings.ends(rolled_back=True)
    assert settings.session == {"work_mem": "3MB"}


def test_what_a_connection_began_with_comes_back() -> None:
    settings = Settings(options("-c hnsw.ef_search=40 --work-mem=1MB -c search_path=a\\ b"))
    assert settings.session == {"hnsw.ef_search": "40", "work_mem": "1MB", "search_path": "a b"}
    settings.ran("SET work_mem = '9MB'", None, within=False)
    settings.ran("RESET work_mem", None, within=False)
    assert settings.session["work_mem"] == "1MB"
    settings.ran("SET jit = off; SET ROLE x", None, within=False)
    settings.ran("RESET ALL", None, within=False)
    assert settings.session == {"hnsw.ef_search": "40", "work_mem": "1MB", "search_path": "a b", "role": "x"}
    settings.ran("DISCARD ALL", None, within=False)
    assert "role" not in settings.session
