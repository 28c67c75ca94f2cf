"""Which columns of a stored definition are plainly a relation's."""

from __future__ import annotations

from envclone.stores.postgres.catalog.origins import sources

VAR = "{VAR :varno 1 :varattno 2 :vartype 25 :location 7}"
ENTRY = (
    "{{TARGETENTRY :expr {expr} :resno {n} :resname {name} :ressortgroupref 0"
    " :resorigtbl {table} :resorigcol {column} :resjunk {junk}}}"
)
QUERY = "({{QUERY :commandType 1 :rtable ({rtable}) :targetList ({entries}) :limitCount <>}})"


def _entry(n: int, table: int, column: int, *, expr: str = VAR, name: str = "a", junk: str = "false") -> str:
    return ENTRY.format(expr=expr, n=n, name=name, table=table, column=column, junk=junk)


def _query(*entries: str, rtable: str = "{RANGETBLENTRY :alias <> :relid 16385}") -> str:
    return QUERY.format(rtable=rtable, entries=" ".join(entries))


def test_plain_columns_have_an_origin_and_others_none() -> None:
    text = _query(_entry(1, 16385, 2), _entry(2, 0, 0, expr="{OPEXPR :args (" + VAR + ")}"), _entry(3, 16390, 1))
    assert dict(sources(text)) == {1: (16385, 2), 3: (16390, 1)}


def test_what_only_sorts_is_no_column() -> None:
    assert list(sources(_query(_entry(1, 16385, 2), _entry(2, 16385, 3, junk="true")))) == [(1, (16385, 2))]


def test_target_lists_of_queries_inside_are_not_the_view_s() -> None:
    inner = "{RANGETBLENTRY :subquery {QUERY :targetList (" + _entry(1, 20000, 9) + ")}}"
    expression = "{SUBLINK :subselect {QUERY :targetList (" + _entry(1, 20000, 8) + ")}}"
    text = _query(_entry(1, 0, 0, expr=expression), _entry(2, 16385, 2), rtable=inner)
    assert list(sources(text)) == [(2, (16385, 2))]


def test_a_name_can_hold_what_looks_like_structure() -> None:
    name = r"x\{TARGETENTRY\ :resno\ 7\ :resorigtbl\ 5\ :resorigcol\ 5\ :resjunk\ false\}"
    assert list(sources(_query(_entry(1, 16385, 2, name=name)))) == [(1, (16385, 2))]
