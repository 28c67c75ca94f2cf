"""`scan` shows shapes: no value of any type, and no key of a document, stands in what it prints or writes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.support.postgres import Production, production
from tests.support.stack import Place, place

ROWS = 30
SCHEMA = """
CREATE EXTENSION ltree; CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE EXTENSION vector;
CREATE TYPE contact AS (who text, mail text);
CREATE DOMAIN mailbox AS text;
CREATE TYPE teams AS ENUM ('Zannateam', 'Quimbyteam');
CREATE TABLE t (
    id int PRIMARY KEY, plain text, fixed char(40), bounded varchar(60), folded citext, dom mailbox, label name,
    raw bytea, source bytea, words tsvector, query tsquery, list text[], nested text[][], tree ltree NOT NULL,
    trees ltree[], pairs hstore, pair_list hstore[], row_one contact, row_list contact[], doc json, docb jsonb,
    fine jsonb,
    docs jsonb[], shares jsonb, mark xml, marks xml[], addr inet, nets cidr[], mac macaddr, day date, span daterange,
    spans textspan_MULTI, team teams, amount numeric, blob_text text, status text, note_count text,
    embedding real[], vec_bytes bytea, patient_vectors double precision[],
    ssn bigint, code1 bigint, code2 numeric, code3 text, code4 bigint, small int);
"""
SCHEMA = "CREATE TYPE textspan AS RANGE (subtype = text);" + SCHEMA.replace("textspan_MULTI", "textspan")
ROW = """
INSERT INTO t SELECT i, n, n, m, m, m, w, convert_to('call ' || n || ' ' || m, 'UTF8'), convert_to(m, 'UTF8'),
    to_tsvector('simple', n || ' ' || m), plainto_tsquery('simple', n), ARRAY[n, m], ARRAY[ARRAY[n], ARRAY[m]],
    ('staff.' || w)::ltree, ARRAY[('staff.' || w)::ltree], hstore(ARRAY['owner', n, m, 'x']),
    ARRAY[hstore('owner', n)], ROW(n, m)::contact, ARRAY[ROW(n, m)::contact],
    json_build_object('who', n, n, json_build_object('mail', m)),
    jsonb_build_object('user', jsonb_build_object('email', m, w, n)),
    jsonb_build_object('user', jsonb_build_object('email', m, 'frob' || chr(97 + i % 26), n),
        'ssn', 536000000 + i * 10007 % 90000),
    ARRAY[jsonb_build_object('who', n)], jsonb_build_object('shares', jsonb_build_object(m, 5)),
    xmlelement(name p, n), ARRAY[xmlelement(name p, m)], ('10.77.' || i || '.' || i)::inet,
    ARRAY[('10.77.' || i || '.0/24')::cidr], ('08:00:2b:77:01:' || lpad(to_hex(i), 2, '0'))::macaddr,
    date '1977-03-01' + i, daterange(date '1977-03-01' + i, date '1978-03-01' + i), textspan(w, w || 'z', '[]'),
    (ARRAY['Zannateam', 'Quimbyteam'])[1 + i % 2]::teams, 7777 + i / 7.0, json_build_object('who', n)::text,
    n, n, ARRAY[0.77123, i], decode(md5(m), 'hex'), ARRAY[0.77123, i],
    536000000 + i * 10007 % 90000, bsn, bsn, bsn::text, pesel, i % 5
FROM (SELECT i, 'Zanna' || chr(97 + i % 26) || ' Quimby' || chr(97 + i * 7 % 26) || 'ska' AS n,
        'zq' || i || '.quimby@corp.example' AS m, 'zanna' || i || 'quimby' AS w,
        (ARRAY[BSN])[i] AS bsn, (ARRAY[PESEL])[i] AS pesel
      FROM generate_series(1, 30) i) s;
SELECT lo_from_bytea(0, convert_to('Zanna Quimby wrote this', 'UTF8'));
"""
STACK = """\
version: 1
project: shapes
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}
"""
TELLING = re.compile(
    r"(?i)zanna(?!team)|quimby(?!team)|zq\d|corp\.example|10\.77\.|2b:77|197[78]-|77123|\\x[0-9a-f]{8}"
)
CONTAINERS = ("tree", "trees", "pair_list", "row_list", "docs", "query", "spans")


def _bsn() -> list[int]:
    from stdnum.nl import bsn

    return [n for n in range(111_000_000, 111_001_000) if bsn.is_valid(str(n))][:ROWS]


def _pesel() -> list[int]:
    from stdnum.pl import pesel

    found: list[int] = []
    for n in range(ROWS):
        body = f"770301{n:04d}"
        found += [int(body + str(d)) for d in range(10) if pesel.is_valid(f"{body}{d}")][:1]
    return found


@pytest.fixture(scope="module")
def prod() -> Iterator[Production]:
    with production(17) as server:
        server.create_database("app")
        server.execute(SCHEMA, "app")
        rows = ROW.replace("[BSN]", str(_bsn())).replace("[PESEL]", str(_pesel()))
        server.execute(rows, "app")
        yield server


@pytest.fixture(scope="module")
def here(prod: Production) -> Iterator[Place]:
    with place() as made:
        made.env.update({"DSN": prod.dsn_for("app"), "ENVCLONE_PG_BIN_17": str(prod.engine.bindir)})
        made.write(STACK)
        yield made


def _numbers(prod: Production) -> list[str]:
    rows = prod.execute("SELECT ssn, code1, code4 FROM t", "app")
    return [str(value) for row in rows for value in row]


def _tells(text: str, numbers: list[str]) -> list[str]:
    return sorted({*TELLING.findall(text), *(number for number in numbers if number in text)})


@pytest.fixture(scope="module")
def found(here: Place, prod: Production) -> dict[str, dict[str, Any]]:
    done = here.call("scan", "prod", "--json")
    assert not _tells(done.stdout + done.stderr, _numbers(prod))
    document = json.loads(done.stdout)
    return {
        f"{one['address'].removeprefix('public.t.')} {one['path']}".strip(): one for one in document["stores"]["main"]
    }


def test_what_is_shown_and_written_holds_no_value_and_no_key(
    here: Place, prod: Production, found: dict[str, dict[str, Any]]
) -> None:
    assert len(found) > 40
    shown = here.call("scan", "prod", "--write")
    written = here.file.read_text()
    for text in (shown.stdout, shown.stderr, written):
        assert not _tells(text, _numbers(prod))
    rules = yaml.safe_load(written)["sanitize"]["rules"]["main"]
    assert rules["public.t.embedding"] == {"vectors": "keep"}
    assert "# public.t.tree: " in written


def test_no_container_of_text_is_kept(found: dict[str, dict[str, Any]]) -> None:
    assert {name: found[name]["domain"] for name in CONTAINERS} == {
        **dict.fromkeys(CONTAINERS, "null"),
        "tree": "decide",
        "docs": "json",
    }
    texts = ("plain", "fixed", "bounded", "folded", "dom", "label", "raw", "source", "words", "list", "nested", "mark")
    assert not [name for name in texts if found[name]["domain"] == "keep"]
    assert not [
        name for name in ("addr", "nets", "mac", "marks", "status", "blob_text") if found[name]["domain"] == "keep"
    ]


def test_no_number_that_passes_as_a_persons_is_kept(found: dict[str, dict[str, Any]]) -> None:
    kept = {name: found[name]["domain"] for name in ("ssn", "code1", "code2", "code3", "code4")}
    assert "keep" not in kept.values(), kept
    assert found["fine $.ssn"]["domain"] == "redact"
    assert found["small"]["domain"] == "keep"


def test_documents_whose_keys_are_persons_are_not_kept(found: dict[str, dict[str, Any]]) -> None:
    kept = [name for name in ("shares", "pairs", "doc", "docb") if found.get(name, {}).get("domain") == "keep"]
    assert not kept
    assert found["shares $.shares.*~"]["domain"] == "email"
    assert not [name for name, one in found.items() if name.endswith("~") and one["domain"] == "keep"], found.keys()
    assert found["fine $.user.email"]["domain"] == "email"
    assert "fine $.user.*" in found


def test_vectors_of_any_kind_are_a_decision(found: dict[str, dict[str, Any]]) -> None:
    for name in ("embedding", "vec_bytes", "patient_vectors"):
        assert found[name]["named"] == "vectors", name
