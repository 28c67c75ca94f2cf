"""What the bytes of an image are: python -m tests.benchmarks.account --json

For each database (those of `tests.benchmarks.keys`, one of every kind of index, the demo's production) an image is made
and its account read from the attestation. Per store: bytes per class, the share that is not decoded, and what that is.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.benchmarks import keys
from tests.support.postgres import Production, production, scratch
from tests.support.stack import Place, place

_BAR = 0.01
_ANYBODY = "'Wolfhard Quenzelmann' || chr(97 + i % 26) || chr(97 + i / 26 % 26)"
EVERY_INDEX = f"""
CREATE EXTENSION vector;
CREATE TABLE every (
    id int PRIMARY KEY, name text, tags text[], doc jsonb, words tsvector, span int4range, days daterange,
    marks int4multirange, net inet, at point, around box, round circle, shape polygon, born date, e vector(24),
    h halfvec(24), s sparsevec(90), bits bit(64), plain text, wide bigint
);
INSERT INTO every SELECT i, {_ANYBODY}, ARRAY['a' || i % 9, 'b'], jsonb_build_object('n', i),
    to_tsvector('simple', 'w' || i), int4range(i, i + 5), daterange(date '2020-01-01' + i % 900, date '2023-01-01'),
    int4multirange(int4range(i, i + 2)), ('10.' || i % 200 || '.' || i % 13 || '.' || i % 251)::inet,
    point(i % 97, i % 89), box(point(i, i), point(i + 1, i + 3)), circle(point(i % 50, i), 2),
    polygon(box(point(i, i), point(i + 1, i + 3))), date '1960-01-01' + i,
    (SELECT array_agg(sin(i * 7.13 + k)) FROM generate_series(1, 24) k)::vector,
    (SELECT array_agg(sin(i * 3.13 + k)) FROM generate_series(1, 24) k)::halfvec,
    ('{{' || i % 80 + 1 || ':0.5}}/90')::sparsevec, ('x' || substr(md5(i::text), 1, 16))::bit(64),
    'https://corp.example/' || i || '/' || md5(i::text), i * 100000
    FROM generate_series(1, 12000) i;
CREATE INDEX ON every (name);
CREATE INDEX ON every USING hash (name);
CREATE INDEX ON every USING gin (tags);
CREATE INDEX ON every USING gin (doc);
CREATE INDEX ON every USING gist (words);
CREATE INDEX ON every USING gist (span);
CREATE INDEX ON every USING gist (marks);
CREATE INDEX ON every USING gist (net inet_ops);
CREATE INDEX ON every USING gist (at);
CREATE INDEX ON every USING gist (around);
CREATE INDEX ON every USING gist (round);
CREATE INDEX ON every USING gist (shape);
CREATE INDEX ON every USING spgist (plain);
CREATE INDEX ON every USING spgist (name);
CREATE INDEX ON every USING spgist (days);
CREATE INDEX ON every USING spgist (net);
CREATE INDEX ON every USING spgist (at);
CREATE INDEX ON every USING spgist (at kd_point_ops);
CREATE INDEX ON every USING spgist (around);
CREATE INDEX ON every USING spgist (shape);
CREATE INDEX ON every USING brin (id, name, net inet_inclusion_ops, span);
CREATE INDEX ON every USING brin (wide int8_minmax_multi_ops, born date_bloom_ops(n_distinct_per_range = 100),
    name text_bloom_ops(n_distinct_per_range = 100)) WITH (pages_per_range = 4);
CREATE INDEX ON every USING hnsw (e vector_l2_ops);
CREATE INDEX ON every USING hnsw (h halfvec_cosine_ops);
CREATE INDEX ON every USING hnsw (s sparsevec_l2_ops);
CREATE INDEX ON every USING hnsw (bits bit_hamming_ops);
CREATE INDEX ON every USING ivfflat (e vector_cosine_ops) WITH (lists = 40);
CREATE INDEX ON every USING ivfflat (bits bit_hamming_ops) WITH (lists = 9);
ANALYZE;
"""


def every_index(server: Production) -> tuple[str, str]:
    """A table with an index of every method over every type that it takes; returns its DSN and its stack file."""
    server.create_database("app")
    server.execute(EVERY_INDEX, "app")
    rules: dict[str, Any] = {"public.every.*": "keep", "public.every.name": "person"}
    rules["public.every.words"] = {"words": "keep"}
    rules |= {f"public.every.{column}": {"vectors": "keep"} for column in "ehs"}
    stack = yaml.safe_dump({"sanitize": {"rules": {"main": rules}}})
    return server.dsn_for("app"), keys.STACK.replace('include: ["{rules}"]\n', "") + stack


def measure(name: str) -> dict[str, Any]:
    """The account of one database's image."""
    make = every_index if name == "every index" else keys.DATABASES[name]
    with production(18) as server, place() as here:
        dsn, stack = make(server)
        here.env["DSN"] = dsn
        here.write(stack)
        return _image(here)


def demo() -> dict[str, Any]:
    """The same of the demo's own production, PostgreSQL and Qdrant."""
    from envclone.demo.production import build
    from envclone.demo.stack import stack_yaml

    with scratch() as directory, place() as here, build(directory / "demo", progress=lambda event: None) as made:
        here.env["PGPASSFILE"] = str(made.passfile)
        here.write(stack_yaml(made, here.pool))
        return _image(here)


def _image(here: Place) -> dict[str, Any]:
    done = here.call("-q", "image", "prod", check=False)
    if done.returncode:
        return {"refused": done.stderr.strip()}
    (path,) = (here.pool / "images").glob("*/attestation.json")
    return {name: _store(figures) for name, figures in _stores(path).items()}


def _stores(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())["checks"]["files"]["stores"]
    return found


def _store(figures: dict[str, Any]) -> dict[str, Any]:
    return {
        "bytes": figures["bytes"],
        "classes": figures["classes"],
        "share_not_decoded": round(figures["classes"]["not decoded"] / max(figures["bytes"], 1), 5),
        "not_decoded": figures["not_decoded"],
    }


def main() -> int:
    names = [*keys.DATABASES, "every index", "demo"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", action="append", choices=names, help="One of them (default: all).")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = {name: demo() if name == "demo" else measure(name) for name in options.database or names}
    print(json.dumps(found, indent=None if options.json else 2))
    shares = [
        one["share_not_decoded"] for stores in found.values() if "refused" not in stores for one in stores.values()
    ]
    return int(any("refused" in stores for stores in found.values()) or max(shares, default=0) >= _BAR)


if __name__ == "__main__":
    sys.exit(main())
