"""The search in a function, with what it was called with."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest

from envclone.stores.postgres.examine.functions import Body, called_in, unfolded
from envclone.stores.postgres.steps.reading.grammar import Refused

BODY = (
    "SELECT c.id, 1 - (c.v <=> query) FROM c WHERE c.owner = match.owner ORDER BY c.v <=> query LIMIT least(many, 50)"
)
PLPGSQL = f"""CREATE FUNCTION match(query vector, owner integer, many integer)
RETURNS TABLE (id bigint, near float8) LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY {BODY};
END $$"""


def _row(language: str = "sql", source: str = BODY, definition: str = PLPGSQL, **given: Any) -> list[Any]:
    made = {
        "names": ["query", "owner", "many", "id", "near"], "modes": ["i", "i", "i", "t", "t"],
        "types": ["vector", "integer", "integer", "bigint", "float8"], "inputs": 3, "optional": 1, "defaults": "7",
        "config": ["hnsw.ef_search=200"], **given,
    }  # fmt: skip
    return [language, source, definition, *made.values()]


def _unfolded(sql: str, *rows: list[Any]) -> tuple[str, dict[str, str]]:
    return _body(sql, *rows)[:2]


def _body(sql: str, *rows: list[Any]) -> Body:
    called = called_in(sql)
    assert called is not None

    def ask(text: str, given: Sequence[Any]) -> Sequence[Sequence[Any]]:
        return rows if given == [called.name, called.schema] else [[_said(text)]]

    return next(unfolded(called, ask))


def _said(text: str) -> Any:
    """What a server says to the few expressions that are evaluated here."""
    inner = text.removeprefix("SELECT ((").removesuffix("))::pg_catalog.text").removesuffix(")::pg_catalog.text")
    if re.fullmatch(r"\d+", number := text.removeprefix("SELECT (").removesuffix(")::pg_catalog.text")):
        return number
    if case := re.fullmatch(r"\((\d+)::int\) IN \((\d+)\)", inner.strip()) or re.fullmatch(
        r"(\d+)::int IN \((\d+)\)", inner
    ):
        return "true" if case[1] == case[2] else "false"
    parts = re.findall(r"'((?:[^']|'')*)'", inner)
    if " IS NOT NULL" in inner:
        return "false" if "NULL::" in inner or "(NULL)" in inner else "true"
    return "".join(parts).replace("''", "'")


@pytest.mark.parametrize("row", [_row(), _row("plpgsql"), _row(source=f"BEGIN ATOMIC\n {BODY};\nEND")])
def test_arguments_stand_in_the_body(row: list[Any]) -> None:
    text, settings = _unfolded("SELECT * FROM match($1, $2)", row)
    assert settings == {"hnsw.ef_search": "200"}
    assert "ORDER BY c.v <=> $1::vector" in text and "c.owner = $2::int" in text
    assert "LEAST(7::int, 50)" in text and " AS near" in text and "query" not in text


def test_arguments_by_name_and_by_number() -> None:
    text, _ = _unfolded("SELECT id FROM app.match(many => 3, query => $1, owner => 4) m", _row())
    assert "LEAST(3::int, 50)" in text and "c.owner = 4::int" in text
    text, _ = _unfolded("SELECT * FROM match($2, $1)", _row(source="SELECT id FROM c ORDER BY v <=> $1 LIMIT $3"))
    assert "v <=> $2::vector LIMIT 7::int" in text


def test_a_statement_that_is_put_together_is_followed() -> None:
    body = """DECLARE said text := 'SELECT id, v FROM c WHERE true';
    BEGIN
      PERFORM set_config('hnsw.ef_search', '300', true);
      IF owner IS NOT NULL THEN said := said || ' AND owner = $2'; ELSE said := 'nothing'; END IF;
      RETURN QUERY EXECUTE said || ' ORDER BY v <=> $1 LIMIT 9' USING query, owner;
    END"""
    definition = f"{PLPGSQL.partition('BEGIN')[0]}{body} $$"
    text, settings = _unfolded("SELECT * FROM match($1, $2)", _row("plpgsql", definition=definition))
    assert text == (
        "SELECT id AS id, v AS near FROM c WHERE true AND owner = $2::int ORDER BY v <=> $1::vector LIMIT 9"
    )
    assert settings == {"hnsw.ef_search": "300"}


def test_a_choice_between_two_queries_is_followed() -> None:
    body = f"""BEGIN
      IF owner IS NOT NULL THEN RETURN QUERY {BODY}; RETURN; END IF;
      RETURN QUERY SELECT id, v FROM d;
    END"""
    definition = f"{PLPGSQL.partition('BEGIN')[0]}{body} $$"
    text, _ = _unfolded("SELECT * FROM match($1, $2)", _row("plpgsql", definition=definition))
    assert "FROM c" in text and "FROM d" not in text
    text, _ = _unfolded("SELECT * FROM match($1, NULL)", _row("plpgsql", definition=definition))
    assert "FROM d" in text


def test_of_functions_of_one_name_the_one_that_fits_comes_first() -> None:
    other = _row(source="SELECT id FROM other ORDER BY v <=> $1 LIMIT $3", types=["vector", "text", "integer"],
                 names=["query", "lang", "many"], modes=[])  # fmt: skip
    for given, table in (("$1::vector, 3, 4", "c"), ("$1::vector, 'en'", "other"), ("$1, lang => 'en'", "other")):
        text, _ = _unfolded(f"SELECT * FROM match({given})", _row(), other)
        assert f"FROM {table} " in text, given


LOOPS = {
    "FOR one IN {0} LOOP id := one.id; near := one.near; RETURN NEXT; END LOOP;": (),
    "FOR one IN EXECUTE 'SELECT id, v FROM c WHERE true' LOOP RETURN NEXT; END LOOP;": (),
    "FOR one IN {0} LOOP IF one.near > 0.5 THEN RETURN NEXT; END IF; END LOOP;": ("IF one.near > 0.5 (line 4)",),
    "FOR one IN {0} LOOP CONTINUE WHEN one.near < 0.5; RETURN NEXT; END LOOP;": (
        "CONTINUE WHEN one.near < 0.5 (line 4)",),
    "OPEN cur; LOOP FETCH cur INTO one; EXIT WHEN NOT FOUND; id := one.id; RETURN NEXT; END LOOP; CLOSE cur;": (),
    "OPEN free FOR {0}; LOOP FETCH free INTO one; EXIT WHEN NOT FOUND; RETURN NEXT; END LOOP;": (),
    "FOR one IN cur LOOP RETURN NEXT; END LOOP;": (),
    "FOR n IN 1..3 LOOP RETURN QUERY {0}; END LOOP;": (),
}  # fmt: skip


@pytest.mark.parametrize(("body", "around"), LOOPS.items())
def test_a_loop_that_gives_rows_on_is_its_query(body: str, around: tuple[str, ...]) -> None:
    declared = f"DECLARE one record; free refcursor; cur CURSOR FOR {BODY};\nBEGIN\n{body.format(BODY)} END $$"
    definition = f"{PLPGSQL.partition('BEGIN')[0]}{declared}"
    found = _body("SELECT * FROM match($1, $2)", _row("plpgsql", definition=definition))
    assert "FROM c WHERE" in found.sql and "UNION" not in found.sql
    assert found.around == around and found.within.startswith("the function match, line ")


FETCH_TEN = "FOR n IN 1..owner LOOP FETCH cur INTO one; EXIT WHEN NOT FOUND; RETURN NEXT; END LOOP;"
BOTH = "LOOP FETCH cur INTO one; EXIT WHEN NOT FOUND; RETURN NEXT; FETCH old INTO one; RETURN NEXT; END LOOP;"
CASES = {
    "CASE owner WHEN 3 THEN RETURN QUERY {0}; ELSE RETURN QUERY SELECT id, v FROM d; END CASE;": ("FROM d",),
    "CASE WHEN owner IS NOT NULL THEN RETURN QUERY {0}; ELSE RETURN QUERY SELECT id, v FROM d; END CASE;": ("FROM c",),
    f"OPEN cur; OPEN old; {BOTH}": ("FROM c", "FROM d", "UNION ALL"),
    f"OPEN cur; MOVE FORWARD 4 FROM cur; {FETCH_TEN}": ("FROM c", "-) 4", "OFFSET", "2::int"),
    "OPEN cur; MOVE ABSOLUTE 4 FROM cur; LOOP FETCH cur INTO one; EXIT WHEN NOT FOUND; RETURN NEXT; END LOOP;": (
        "FROM c", "OFFSET"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "there"), CASES.items())
def test_cases_and_cursors_are_followed(body: str, there: tuple[str, ...]) -> None:
    declared = f"DECLARE one record; cur CURSOR FOR {BODY}; old CURSOR FOR SELECT id, v FROM d;\nBEGIN\n"
    definition = f"{PLPGSQL.partition('BEGIN')[0]}{declared}{body.format(BODY)} END $$"
    found = _body("SELECT * FROM match($1, 2)", _row("plpgsql", definition=definition)).sql
    assert all(one in found for one in there) and ("FROM d" in found) == ("FROM d" in there), found


def test_a_cursor_that_goes_back_and_a_case_without_an_arm_are_said() -> None:
    declared = f"{PLPGSQL.partition('BEGIN')[0]}DECLARE one record; cur CURSOR FOR {BODY};\nBEGIN\nOPEN cur;\n"
    for body, why in (
        ("MOVE BACKWARD 2 FROM cur; FOR n IN 1..3 LOOP FETCH cur INTO one; RETURN NEXT; END LOOP;", "backwards"),
        ("CASE owner WHEN 3 THEN NULL; END CASE;", "no arm is right"),
    ):
        with pytest.raises(Refused, match=why):
            _body("SELECT * FROM match($1, 2)", _row("plpgsql", definition=f"{declared}{body} END $$"))


def test_what_cannot_be_read_is_said() -> None:
    loop = PLPGSQL.replace(f"RETURN QUERY {BODY};", f"LOOP RETURN QUERY {BODY}; COMMIT; END LOOP;")
    writes = PLPGSQL.replace("RETURN QUERY", "DELETE FROM c; RETURN QUERY")
    for rows, why in (
        ([], "no function"),
        ([_row("plpgsql", definition=loop)], "does more than choose"),
        ([_row("plpgsql", definition=writes)], "runs a statement beside"),
        ([_row("plpgsql", definition=PLPGSQL.replace(f"RETURN QUERY {BODY};", "RETURN;"))], "returns no query"),
        ([_row(source="DELETE FROM c")], "SELECT"),
    ):
        with pytest.raises(Refused, match=why):
            _unfolded("SELECT * FROM match($1, 2)", *rows)
    assert called_in("SELECT id FROM c ORDER BY v <=> $1 LIMIT 5") is None
    assert called_in("SELECT * FROM f(1), g(2)") is None
