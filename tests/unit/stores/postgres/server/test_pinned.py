from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import psycopg
import pytest

import envclone
from envclone.stores.postgres.server import pinned


@pytest.mark.parametrize("major", [14, 15, 16, 17, 18, None])
def test_names_libraries_and_limits_are_pinned_for_every_version(major: int | None) -> None:
    for pins in (pinned.operator(major), pinned.ordinary(major), pinned.production()):
        assert pins["search_path"] == "pg_catalog, pg_temp"
        assert {"local_preload_libraries", "row_security", "role", "jit", "lock_timeout", "statement_timeout"} <= {
            *pins
        }
        assert {name for name in pins if name.startswith("default_transaction_")} == {
            "default_transaction_isolation",
            "default_transaction_read_only",
            "default_transaction_deferrable",
        }
    assert ("event_triggers" in pinned.operator(major)) == (major is None or major >= 17)
    assert "session_preload_libraries" in pinned.operator(major)
    assert not {"session_preload_libraries", "event_triggers"} & {*pinned.ordinary(major)}  # a superuser's to set
    assert pinned.production()["default_transaction_read_only"] == "on"


def test_a_step_keeps_what_its_role_and_database_decide() -> None:
    for pins in (pinned.step(), pinned.step(superuser=False)):
        assert not {"search_path", "row_security", "statement_timeout", "jit"} & {*pins}
        assert pins["default_transaction_read_only"] == "on"


@pytest.mark.parametrize(
    "before", ["", "-c search_path=evil", "-csearch_path=evil", "-c Search_Path=evil -c x.y=1\\", "-c x.y=a\\\\"]
)
def test_what_the_dsn_sets_comes_before(before: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(psycopg, "connect", lambda conninfo, **parameters: given.update(parameters))
    pinned.connect(psycopg.conninfo.make_conninfo("", host="h", options=before), pins={"search_path": "pg_catalog"})
    assert given["options"].startswith(before)
    assert given["options"].endswith(" -c search_path=pg_catalog" if before else "-c search_path=pg_catalog")
    behind = given["options"].removesuffix("-c search_path=pg_catalog")
    slashes = len(behind.rstrip(" ")) - len(behind.rstrip(" ").rstrip("\\"))
    assert len(behind) - len(behind.rstrip(" ")) == (2 if slashes % 2 else min(1, len(behind)))


def test_values_with_white_space_and_backslashes_arrive_whole() -> None:
    text = pinned.options({"a": "pg_catalog, pg_temp", "b": "", "c": "x\\y\tz"})
    assert text == "-c a=pg_catalog,\\ pg_temp -c b= -c c=x\\\\y\\\tz"


def test_only_what_a_version_or_a_login_cannot_have_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def refuse(conninfo: str, **parameters: Any) -> str:
        tried.append(parameters["options"])
        for name in ("event_triggers", "session_preload_libraries"):
            if name in parameters["options"]:
                raise psycopg.OperationalError(f'FATAL:  Parameter »"{name}"« darf nicht gesetzt werden')
        return "connected"

    monkeypatch.setattr(psycopg, "connect", refuse)
    assert str(pinned.connect(pins=pinned.production())) == "connected"
    assert len(tried) == 3 and "search_path" in tried[-1]

    def never(conninfo: str, **parameters: Any) -> None:
        raise psycopg.OperationalError('FATAL:  unsupported startup parameter in options: "search_path"')

    monkeypatch.setattr(psycopg, "connect", never)
    with pytest.raises(psycopg.OperationalError, match="search_path"):
        pinned.connect(pins=pinned.production())


def test_every_session_is_opened_in_one_place() -> None:
    package = Path(envclone.__file__).parent
    opened = [
        path.relative_to(package).as_posix()
        for path in sorted(package.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("psycopg.connect", "psycopg.Connection.connect")
    ]
    assert [path for path in opened if not path.startswith("demo/")] == ["stores/postgres/server/pinned.py"]
