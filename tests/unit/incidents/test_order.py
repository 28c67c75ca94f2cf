"""Which queries order their rows, by which columns of the result; an SQL parser is the oracle where it can parse."""

from __future__ import annotations

import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st

from envclone.incidents.order import OrderInfo, order_of
from envclone.incidents.sql import Kind, tokens

NOT = OrderInfo(False)


@pytest.mark.parametrize(
    ("sql", "info"),
    [
        ("SELECT a FROM t", NOT),
        ("SELECT a FROM t ORDER BY a", OrderInfo(True, ("a",))),
        ("select A from T order by A desc nulls last, 2;", OrderInfo(True, ("a", 2))),
        ('SELECT "A b" FROM t ORDER BY "A b" USING >', OrderInfo(True, ("A b",))),
        ("SELECT a FROM t ORDER BY 1 LIMIT 5 OFFSET 2", OrderInfo(True, (1,))),
        ("SELECT a FROM t ORDER BY a FETCH FIRST 5 ROWS WITH TIES", OrderInfo(True, ("a",))),
        ("SELECT a FROM t ORDER BY a FOR UPDATE", OrderInfo(True, ("a",))),
        # pgvector's operators, with every kind of parameter
        ("SELECT id FROM t ORDER BY e <=> %s LIMIT 5", OrderInfo(True)),
        ("SELECT id, e <=> %s AS d FROM t ORDER BY d LIMIT 5", OrderInfo(True, ("d",))),
        ("SELECT id, e <#> %(v)s AS d FROM t ORDER BY e <#> %(v)s LIMIT %(n)s", OrderInfo(True, (2,))),
        ("SELECT id, e<->%(v)s FROM t ORDER BY e <-> %(v)s", OrderInfo(True, (2,))),
        ("SELECT id, e <+> '[1,2]' d FROM t ORDER BY e <+> '[1,2]'", OrderInfo(True, (2,))),
        ("SELECT id, e <~> $1::bit(3) FROM t ORDER BY e <~> $1::bit(3)", OrderInfo(True, (2,))),
        ("SELECT id, e <#> %(v)s FROM t ORDER BY e <-> %(v)s", OrderInfo(True)),
        # an ORDER BY that is not the query's
        ("SELECT array_agg(a ORDER BY b) FROM t", NOT),
        ("SELECT row_number() OVER (ORDER BY b) FROM t", NOT),
        ("SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY b) FROM t", NOT),
        ("SELECT * FROM (SELECT a FROM t ORDER BY a) q", NOT),
        ("WITH q AS (SELECT a FROM t ORDER BY a) SELECT * FROM q", NOT),
        ("WITH q AS (SELECT a FROM t ORDER BY b) SELECT a FROM q ORDER BY a", OrderInfo(True, ("a",))),
        ("SELECT 'x ORDER BY a' FROM t", NOT),
        ("SELECT $$ ORDER BY a $$, $q$ ORDER BY $q$ FROM t", NOT),
        ("SELECT E'it\\'s ORDER BY a' FROM t", NOT),
        ('SELECT a AS " ORDER BY a" FROM t', NOT),
        ("SELECT a FROM t -- ORDER BY a", NOT),
        ("SELECT a FROM t /* x /* ORDER BY a */ ORDER BY a */", NOT),
        # other shapes of a query
        ("SELECT a FROM t UNION ALL SELECT b FROM u ORDER BY 1", OrderInfo(True, (1,))),
        ("(SELECT a FROM t ORDER BY a) UNION ALL (SELECT b FROM u ORDER BY b)", NOT),
        ("(SELECT a FROM t ORDER BY a) LIMIT 3", OrderInfo(True, ("a",))),
        ("VALUES (2), (1) ORDER BY 1", OrderInfo(True, (1,))),
        ("TABLE t ORDER BY a", OrderInfo(True, ("a",))),
        ("TABLE t", NOT),
        ("SET x = 1; SELECT a FROM t ORDER BY a;", OrderInfo(True, ("a",))),
        ("SHOW search_path", NOT),
        ("INSERT INTO t SELECT a FROM u ORDER BY a RETURNING a", NOT),
        ("WITH d AS (SELECT 1) DELETE FROM t RETURNING a", NOT),
        ("", NOT),
        ("SELECT (", NOT),
        # items that are, or are not, columns of the result
        ("SELECT a FROM t ORDER BY lower(a)", OrderInfo(True)),
        ("SELECT a FROM t ORDER BY a, lower(b)", OrderInfo(True)),
        ("SELECT lower(a) FROM t ORDER BY LOWER(a)", OrderInfo(True, (1,))),
        ("SELECT lower(a) AS a FROM t ORDER BY t.a", OrderInfo(True)),
        ("SELECT b, t.a FROM t ORDER BY t.a", OrderInfo(True, (2,))),
        ("SELECT t.* FROM t ORDER BY t.a", OrderInfo(True, ("a",))),
        ("SELECT u.* FROM t, u ORDER BY t.a", OrderInfo(True)),
        ("SELECT *, e <-> '[1]' AS d FROM t ORDER BY e <-> '[1]'", OrderInfo(True, ("d",))),
        ("SELECT *, a <-> b FROM t ORDER BY a <-> b", OrderInfo(True)),
        ("SELECT DISTINCT ON (a) a, b FROM t ORDER BY a, b DESC", OrderInfo(True, ("a", "b"))),
        ("SELECT a IS DISTINCT FROM b, c FROM t ORDER BY a IS DISTINCT FROM b", OrderInfo(True, (1,))),
        ("SELECT extract(year FROM a), c FROM t ORDER BY extract(year FROM a)", OrderInfo(True, (1,))),
        ('SELECT a FROM t ORDER BY a COLLATE "C"', OrderInfo(True)),
    ],
)
def test_order_of(sql: str, info: OrderInfo) -> None:
    assert order_of(sql) == info


def test_positional_parameters_are_the_same_expression_when_they_are_equal() -> None:
    sql = "SELECT id, e <=> %s FROM t ORDER BY e <=> %s"
    assert order_of(sql) == OrderInfo(True)
    assert order_of(sql, [[0.1, 0.2], [0.1, 0.2]]) == OrderInfo(True, (2,))
    assert order_of(sql, [[0.1, 0.2], [0.1, 0.3]]) == OrderInfo(True)
    assert order_of(sql, [1, True]) == OrderInfo(True)


def test_percent_is_modulo_without_parameters() -> None:
    assert order_of("SELECT a %b FROM t ORDER BY a %b") == OrderInfo(True, (1,))
    assert order_of("SELECT a %% 2 FROM t ORDER BY a %% 2", [1]) == OrderInfo(True, (1,))


PARSED = [
    "SELECT a, b FROM t WHERE a > 1 ORDER BY b DESC, a",
    "SELECT count(*) AS n, city FROM t GROUP BY city HAVING count(*) > 2 ORDER BY n DESC NULLS LAST LIMIT 3",
    "SELECT a FROM (SELECT a FROM t ORDER BY b LIMIT 3) q JOIN u USING (a)",
    "SELECT CASE WHEN a THEN 1 ELSE 2 END FROM t ORDER BY 1",
    "SELECT a FROM t UNION SELECT b FROM u",
    "SELECT a, sum(b) OVER (PARTITION BY c ORDER BY d) FROM t",
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT n FROM r ORDER BY n",
    "SELECT string_agg(x, ', ' ORDER BY x) FROM t ORDER BY 1",
    "SELECT data->>'a' FROM t WHERE data @> '{\"a\": 1}' ORDER BY data->>'a'",
    "SELECT a FROM t ORDER BY id <-> 3",
]


@pytest.mark.parametrize("sql", PARSED)
def test_a_parser_says_the_same(sql: str) -> None:
    tree = sqlglot.parse_one(sql, dialect="postgres")
    assert order_of(sql).ordered == (tree.args.get("order") is not None)


FRAGMENTS = st.sampled_from(
    [
        "'it''s'",
        "E'a\\'b'",
        "$$x'y$$",
        "$a$ $$ $a$",
        '"q""i"',
        "/* a /* b */ ' */",
        "-- '\n",
        "%s",
        "%(n)s",
        "%%",
        "<=>",
        "a",
        "1.5e3",
        *("(", ")", ",", "::", " ", "$1", "U&'\\0041'", "x'1f'", "->>", "t$1", "1..2", "é"),
    ]
)


@given(st.lists(FRAGMENTS), st.booleans())
def test_tokens_lose_nothing(fragments: list[str], placeholders: bool) -> None:
    sql = " ".join(fragments)
    assert "".join(t.text for t in tokens(sql, placeholders=placeholders)) == sql
    assert all(t.kind is not Kind.BROKEN for t in tokens(sql, placeholders=placeholders))


@given(st.text("'\"$/*-aeEuU&\\%s(;\n ", max_size=40))
@settings(max_examples=500)
def test_any_text_is_cut_without_loss(sql: str) -> None:
    assert "".join(t.text for t in tokens(sql)) == sql
    order_of(sql)


def test_a_backslash_escapes_only_where_it_does() -> None:
    assert [t.kind for t in tokens(r"'\' 'x'")] == [Kind.STRING, Kind.SPACE, Kind.STRING]
    assert [t.kind for t in tokens(r"'\' 'x'", escapes=True)] == [Kind.STRING, Kind.BROKEN]
    assert [t.kind for t in tokens("'open")] == [Kind.BROKEN]
    assert [t.kind for t in tokens("nothing'x'")] == [Kind.WORD, Kind.STRING]
