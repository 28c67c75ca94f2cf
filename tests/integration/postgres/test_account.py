"""Every byte of a cluster's files has its class, and an original that is planted anywhere is found."""

from __future__ import annotations

import hashlib
import shutil
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envclone.accounts import hand_over, service_account
from envclone.config.schema import StoreConfig
from envclone.masking import rules
from envclone.masking.corpus import Corpus
from envclone.masking.masks import MaskSet
from envclone.models import StorePlan, StoreSnapshot
from envclone.stores.postgres.catalog import layout
from envclone.stores.postgres.format.page import normal_items
from envclone.stores.postgres.store import PostgresStore
from envclone.verifier.account import Account
from envclone.verifier.field_findings import FieldFindings
from envclone.verifier.findings import Finding
from envclone.verifier.originals import Originals
from tests.support.postgres import production, scratch

pytestmark = pytest.mark.real

ROWS = 400
SCHEMA = f"""
CREATE EXTENSION vector;
CREATE TABLE people (
    flag bool, big int8, id int PRIMARY KEY, name text, tags text[], doc jsonb,
    words tsvector GENERATED ALWAYS AS (to_tsvector('simple', name)) STORED, letter text, e vector(8),
    code text, seen inet, span int4range, days datemultirange, at point, around box, shape polygon, size numrange
);
ALTER TABLE people ALTER letter SET STORAGE EXTERNAL, ALTER name SET STATISTICS 4;
INSERT INTO people (flag, big, id, name, tags, doc, letter, e, code, seen, span, days, at, around, shape, size)
    SELECT true, i, i, 'Wolfhard Quenzelmann' || chr(97 + i % 20) || chr(97 + i / 20),
    ARRAY['Wolfhard Quenzelmann' || chr(97 + i % 20) || chr(97 + i / 20), 'x'],
    jsonb_build_object('who', 'Wolfhard Quenzelmann' || chr(97 + i % 20) || chr(97 + i / 20)),
    repeat('nothing to see here, ', 150), array_fill(i / 1000.0, ARRAY[8])::vector,
    'Anselm Grotewohl ' || there || '/' || md5(there::text), ('81.2.' || there % 7 || '.' || there % 250)::inet,
    int4range(there, there + 3), datemultirange(daterange(date '1961-01-01' + there, date '1961-02-03' + there)),
    point(there % 31, there), box(point(there, there), point(there + 1, there + 2)),
    polygon(box(point(there, 1), point(1, there))), numrange(there + 0.5, NULL)
    FROM (SELECT i, CASE WHEN i % 10 > 0 THEN i END AS there FROM generate_series(1, {ROWS}) i) s;
DELETE FROM people WHERE id > {ROWS - 20};
CREATE INDEX people_name ON people (name);
CREATE INDEX people_lower ON people (lower(name));
CREATE INDEX people_flat ON people USING hash (name);
CREATE INDEX people_tags ON people USING gin (tags);
CREATE INDEX people_doc ON people USING gin (doc);
CREATE INDEX people_words ON people USING gin (words);
CREATE INDEX people_e ON people USING hnsw (e vector_l2_ops);
CREATE INDEX people_lists ON people USING ivfflat (e vector_l2_ops) WITH (lists = 3);
CREATE INDEX people_gist ON people USING gist (seen inet_ops, span, words) INCLUDE (code);
CREATE INDEX people_days ON people USING gist (days);
CREATE INDEX people_at ON people USING gist (at, around, shape);
CREATE INDEX people_spelled ON people USING spgist (code) INCLUDE (id, letter);
CREATE INDEX people_spell_name ON people USING spgist (name);
CREATE INDEX people_seen ON people USING spgist (seen);
CREATE INDEX people_span ON people USING spgist (span);
CREATE INDEX people_size ON people USING spgist (size);
CREATE INDEX people_quad ON people USING spgist (at);
CREATE INDEX people_kd ON people USING spgist (at kd_point_ops);
CREATE INDEX people_around ON people USING spgist (around);
CREATE INDEX people_shape ON people USING spgist (shape);
CREATE INDEX people_brin ON people USING brin (id, code, seen inet_inclusion_ops, span, around, name);
CREATE INDEX people_brins ON people USING brin (big int8_minmax_multi_ops, seen inet_minmax_multi_ops,
    code text_bloom_ops(n_distinct_per_range = 50)) WITH (pages_per_range = 1);
CREATE MATERIALIZED VIEW dear AS SELECT id, 'Dear ' || name AS greeting FROM people;
CREATE STATISTICS together (mcv) ON name, flag FROM people;
COMMENT ON TABLE people IS 'Everybody who ever wrote';
ANALYZE;
"""
LEFT = ROWS - 20
NAME = "Wolfhard Quenzelmannbb"
"""One of those who are masked; as long as its pseudonym."""
RULES = {
    "public.people.name": "person",
    "public.people.tags": "person",
    "public.people.doc": {"$.who": "person"},
    "public.people.*": "keep",
    "public.distant.x": "person",
    "public.dear.greeting": "text",
    "public.people.e": {"vectors": "keep"},
}


@dataclass(frozen=True)
class Clone:
    """A sanitized clone, closed."""

    directory: Path
    snapshot: StoreSnapshot
    plan: StorePlan

    def account(
        self, directory: Path | None = None, rows: int = LEFT, also: Sequence[str] = ()
    ) -> tuple[list[Finding], Mapping[str, Any]]:
        """What the account finds, and its figures; `also` are originals of those who are in kept columns."""
        originals = Originals()
        names = [f"Wolfhard Quenzelmann{chr(97 + i % 20)}{chr(97 + i // 20)}" for i in range(1, ROWS + 1)]
        originals.add("main.public.people.name", "person", names)
        for one in also:
            kind = "person" if one[0].isalpha() else "ip"
            originals.add("main.public.people.name", kind, [one])
        originals.seal()
        findings = FieldFindings(originals=originals)
        made = Account("main", directory or self.directory, findings)
        seen = {"public.people": rows, "public.distant": LEFT, "public.dear": LEFT}
        PostgresStore().account(directory or self.directory, self.snapshot, self.plan, seen, made)
        figures = made.settle()
        return list(findings.leaks._found.values()), figures

    def relation(self, name: str) -> layout.Relation:
        """A relation of the store's database."""
        database = next(d for d in layout.load(self.directory).databases if d.name == "shop")
        return next(r for r in database.relations if r.name == name)


@pytest.fixture(scope="module", params=[18, 16])
def clone(request: pytest.FixtureRequest) -> Iterator[Clone]:
    checks = [] if request.param >= 18 else ["--data-checksums"]
    with production(request.param, initdb_args=checks) as running, scratch() as place:
        running.create_database("shop")
        running.execute(SCHEMA, "shop")
        far = running.data.parent / "far"
        far.mkdir(mode=0o700)
        hand_over(far, service_account())
        running.execute(f"CREATE TABLESPACE far LOCATION '{far}'")
        running.execute(
            "CREATE TABLE distant (x text) TABLESPACE far; CREATE INDEX ON distant (x) TABLESPACE far", "shop"
        )
        running.execute("INSERT INTO distant SELECT name FROM people", "shop")
        running.stop()
        directory = place / "clone"
        directory.mkdir(mode=0o711)
        source = {"method": "directory", "path": str(running.data), "database": "shop"}
        config = StoreConfig.model_validate({"kind": "postgres", "source": source})
        snapshot = PostgresStore().snapshot("main", config, directory, lambda event: None)
        masks = MaskSet(b"k" * 32, {}, Corpus({"person": []}))
        with PostgresStore().open(directory, snapshot, log=place / "log") as session:
            plan = rules.plan(RULES, {}, session.inventory())
            session.rewrite(plan, masks, lambda event: None)
            session.defang()
        PostgresStore().scrub(directory, snapshot, plan)
        yield Clone(directory, snapshot, plan)


@pytest.fixture(scope="module")
def spare(clone: Clone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy that each test gets as it was."""
    place = tmp_path_factory.mktemp("spare") / "clone"
    shutil.copytree(clone.directory, place, symlinks=True)
    return place


@pytest.fixture
def copy(clone: Clone, spare: Path) -> Iterator[Path]:
    """A copy to plant something in."""
    yield spare
    for path in sorted(spare.rglob("*")):
        as_it_was = clone.directory / path.relative_to(spare)
        if not path.is_file():
            continue
        if not as_it_was.exists():
            path.unlink()
        elif path.stat().st_mtime_ns != as_it_was.stat().st_mtime_ns:
            shutil.copy2(as_it_was, path)


def test_nothing_is_found_and_hardly_a_byte_is_not_decoded(clone: Clone) -> None:
    found, figures = clone.account()
    assert [one.line() for one in found] == []
    size = sum(p.stat().st_size for p in clone.directory.rglob("*") if p.is_file() and not p.is_symlink())
    assert figures["bytes"] == size == sum(figures["classes"].values())
    assert figures["classes"]["not decoded"] < size / 100
    assert {name: n for name, n in figures["not_decoded"].items() if ".people" in name and n > 100} == {}
    assert figures["classes"]["masked"] > 380 * 3 * 20
    assert figures["classes"]["kept"] > 380 * 3000


def _write(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def _first_page(clone: Clone, copy: Path, name: str) -> tuple[Path, bytes]:
    path = copy / "data" / clone.relation(name).path
    return path, path.read_bytes()[:8192]


def _in_padding(clone: Clone, copy: Path) -> None:
    path, page = _first_page(clone, copy, "public.people")
    (pointer,) = struct.unpack_from("<I", page, 24)
    row = pointer & 0x7FFF
    _write(path, row + page[row + 22] + 1, b"Eva")  # behind a boolean, before eight bytes


def _in_free_space(clone: Clone, copy: Path) -> None:
    path, page = _first_page(clone, copy, "public.people")
    lower, upper = struct.unpack_from("<HH", page, 12)
    assert upper - lower > 40
    _write(path, lower + 4, NAME.encode())


def _in_a_dead_row(clone: Clone, copy: Path) -> None:
    path = copy / "data" / clone.relation("public.people").path
    data = path.read_bytes()
    pages = np.frombuffer(data, np.uint8).reshape(-1, 8192)
    items = normal_items(pages, "people")
    last = len(items) - 1  # the last rows were deleted
    place = int(items.page[last]) * 8192 + int(items.offset[last])
    assert not any(data[place + data[place + 22] : place + int(items.length[last])])
    _write(path, place + data[place + 22] + 8, NAME.encode())


def _in_a_chunk_of_nobody(clone: Clone, copy: Path) -> None:
    table = clone.relation("public.people")
    database = next(d for d in layout.load(clone.directory).databases if d.name == "shop")
    toast = next(r for r in database.relations if r.oid == table.toast)
    path = copy / "data" / toast.path
    page = path.read_bytes()[:8192]
    (pointer,) = struct.unpack_from("<I", page, 24)
    row = pointer & 0x7FFF
    _write(path, row + page[row + 22], struct.pack("<I", 4_000_000_000))


def _instead_of(clone: Clone, copy: Path, relation: str, text: bytes, instead: bytes) -> None:
    assert len(text) == len(instead)
    path = copy / "data" / clone.relation(relation).path
    data = path.read_bytes()
    place = data.index(text)
    _write(path, place, instead)


def _pseudonym(clone: Clone) -> bytes:
    """A pseudonym of the length of the originals, from the index over them."""
    data = (clone.directory / "data" / clone.relation("public.people_name").path).read_bytes()
    (pointer,) = struct.unpack_from("<I", data, 8192 + 24)
    entry = 8192 + (pointer & 0x7FFF)
    return data[entry + 9 : entry + 9 + len(NAME)]


def _in_a_key(clone: Clone, copy: Path) -> None:
    _instead_of(clone, copy, "public.people_name", _pseudonym(clone), NAME.encode())


def _in_a_key_of_an_expression(clone: Clone, copy: Path) -> None:
    _instead_of(clone, copy, "public.people_lower", _pseudonym(clone).lower(), NAME.lower().encode())


def _in_an_element_s_key(clone: Clone, copy: Path) -> None:
    _instead_of(clone, copy, "public.people_tags", _any_of(clone, "public.people_tags"), NAME.encode())


def _in_a_document_s_key(clone: Clone, copy: Path) -> None:
    _instead_of(clone, copy, "public.people_doc", _any_of(clone, "public.people_doc"), NAME.encode())


def _any_of(clone: Clone, relation: str) -> bytes:
    """A pseudonym in a file: a capital, small letters, a space, a capital, small letters."""
    import re

    data = (clone.directory / "data" / clone.relation(relation).path).read_bytes()
    pattern = rb"[A-Z][a-z]{7} [A-Z][a-z]{%d}" % (len(NAME) - 10)
    found = re.search(pattern, data)
    assert found is not None
    return found[0]


def _in_statistics(clone: Clone, copy: Path) -> None:
    _instead_of(clone, copy, "pg_catalog.pg_statistic", _any_of(clone, "pg_catalog.pg_statistic"), NAME.encode())


def _in_a_comment(clone: Clone, copy: Path) -> None:
    text = NAME.encode().ljust(24)
    _instead_of(clone, copy, "pg_catalog.pg_description", b"Everybody who ever wrote", text)


def _in_settings(clone: Clone, copy: Path) -> None:
    with (copy / "data" / "postgresql.conf").open("a") as file:
        file.write(f"# of {NAME}\n")


def _in_the_log(clone: Clone, copy: Path) -> None:
    (wal,) = (path for path in (copy / "data" / "pg_wal").iterdir() if path.is_file())
    _write(wal, 100_000, NAME.encode())


def _in_a_hole_of_an_index(clone: Clone, copy: Path) -> None:
    path = copy / "data" / clone.relation("public.people_name").path
    (lower,) = struct.unpack_from("<H", path.read_bytes(), 12)
    _write(path, lower + 100, NAME.encode())


def _in_a_graph(clone: Clone, copy: Path) -> None:
    path = copy / "data" / clone.relation("public.people_e").path
    _write(path, 8192 + 4000, NAME.encode())


def _in_a_map(clone: Clone, copy: Path) -> None:
    path = next(p for p in sorted((copy / "data" / "base").rglob("*_fsm")) if p.stat().st_size)
    _write(path, 8192 * 2 + 5000, NAME.encode())


def _in_a_file_of_nobody(clone: Clone, copy: Path) -> None:
    (copy / "data" / "base" / "notes").write_text("hello")


def _in_a_hole_of_a_tree(clone: Clone, copy: Path) -> None:
    path, page = _first_page(clone, copy, "public.people_days")
    lower, _ = struct.unpack_from("<HH", page, 12)
    _write(path, lower + 40, NAME.encode())


def _on_a_leaf(clone: Clone, copy: Path) -> None:
    path = copy / "data" / clone.relation("public.people_spelled").path
    data = path.read_bytes()
    page = next(at for at in range(3 * 8192, len(data), 8192) if data[at + 8184] & 4)
    (pointer,) = struct.unpack_from("<I", data, page + 24)
    place = page + (pointer & 0x7FFF) + 18
    _write(path, place, f" {NAME} ".encode())


def _among_transactions(clone: Clone, copy: Path) -> None:
    _write(copy / "data" / "pg_xact" / "0000", 20, NAME.encode())


def _among_subtransactions(clone: Clone, copy: Path) -> None:
    (log,) = (copy / "data" / "pg_subtrans").iterdir()
    _write(log, 20, NAME.encode())


def _among_members(clone: Clone, copy: Path) -> None:
    _write(copy / "data" / "pg_multixact" / "members" / "0000", 400, NAME.encode())


PLANTED: list[Callable[[Clone, Path], None]] = [
    _in_padding, _in_free_space, _in_a_dead_row, _in_a_chunk_of_nobody, _in_a_key, _in_a_key_of_an_expression,
    _in_an_element_s_key, _in_a_document_s_key, _in_statistics, _in_a_comment, _in_settings, _in_the_log,
    _in_a_hole_of_an_index, _in_a_graph, _in_a_map, _in_a_file_of_nobody,
    _in_a_hole_of_a_tree, _on_a_leaf, _among_transactions, _among_subtransactions, _among_members,
]  # fmt: skip


@pytest.mark.parametrize("clone", [18], indirect=True)
def test_catalogs_that_are_read_once_are_read_where_they_differ(clone: Clone, copy: Path) -> None:
    """Every database has initdb's remarks, whose pages are alike; in one of them another stands instead."""
    text, databases = b"current transaction time", layout.load(clone.directory).databases
    for name in ("template0", "template1", "postgres"):
        database = next(one for one in databases if one.name == name)
        path = next(one.path for one in database.relations if one.name == "pg_catalog.pg_description")
        data = (copy / "data" / path).read_bytes()
        _write(copy / "data" / path, data.index(text), NAME.encode().ljust(len(text)))
        found, _ = clone.account(copy)
        assert [one.place for one in found] == [f"main: {name}: pg_catalog.pg_description.description"]
        _write(copy / "data" / path, data.index(text), text)


@pytest.mark.parametrize("clone", [18], indirect=True)
@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_what_is_planted_is_found(clone: Clone, copy: Path, plant: Callable[[Clone, Path], None]) -> None:
    plant(clone, copy)
    found, _ = clone.account(copy)
    assert len(found) >= 1
    assert not any("Quenzelmann" in one.line() for one in found)


def _code(number: int) -> str:
    return f"Anselm Grotewohl {number}/{hashlib.md5(str(number).encode()).hexdigest()}"


def test_keys_of_other_indexes_are_searched_as_values(clone: Clone) -> None:
    """A kept value that is somebody's is found in each index over it; in one of texts though no page spells it."""
    found, _ = clone.account(also=[_code(17), _code(1), "81.2.3.17", "81.2.1.1"])
    places = {one.place.rpartition(".")[2] for one in found}
    assert places >= {"people_spelled", "people_gist", "people_brin", "people_seen", "people_brins"}


def test_a_row_that_nobody_compared_is_found(clone: Clone) -> None:
    found, _ = clone.account(rows=LEFT - 1)
    assert [one.station for one in found] == ["account"]
