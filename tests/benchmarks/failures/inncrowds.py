# ruff: noqa: E501 - texts stand as an agency writes them
"""A travel agency's brochures: many parts that say nearly the same, and stand before what was meant.

Editions, parts that overlap, the same letterhead above each text, one word in another place; in a table and as points.
"""

# fmt: off
from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import qdrant_edge as q

from tests.benchmarks.failures.desk import Case, got, literal
from tests.benchmarks.failures.innpoints import collection
from tests.benchmarks.failures.inns import FEEL, HAS, KIND, NEAR, Inns, embedded

Variants = Callable[[random.Random, str], list[str]]
HEAD = "Offered by the alpine travel union, subject to our general terms, prices without breakfast and tax, as printed in spring."


def _editions(drawn: random.Random, text: str) -> list[str]:
    return [f"{text} Edition {year}." for year in range(2018, 2026)]


def _seasons(drawn: random.Random, text: str) -> list[str]:
    return [f"{when}: {text}" for when in ("In spring", "In summer", "In autumn", "In winter", "At Easter", "At Christmas", "All year")]


def _overlapping(drawn: random.Random, text: str) -> list[str]:
    said = f"{text} {text.replace('A ', 'This ', 1)}".split()
    return [" ".join(said[start : start + len(text.split()) + 2]) for start in range(8)]


def _swapped(drawn: random.Random, text: str) -> list[str]:
    first, second, *rest = text.split()
    return [" ".join([first, other, *rest]) for other in FEEL if other != second][:8]


KINDS: dict[str, Variants] = {"editions": _editions, "seasons": _seasons, "overlapping": _overlapping, "swapped": _swapped}


def write(shop: Inns) -> None:
    """The table and the collection; `shop.special` is not touched, for the brochures are a text of their own."""
    drawn = random.Random(23)
    rows: list[tuple[int, str, int]] = []
    for number in range(700):
        about = f"A {drawn.choice(FEEL)} {drawn.choice(KIND)} {drawn.choice(NEAR)} with {drawn.choice(HAS)}, route {drawn.choice('KLMNP')}{drawn.randrange(100, 999)}."
        rows.append((10_000 + number, about, 0))
    shop.crowds = {}
    for place, (name, make) in enumerate(KINDS.items()):
        for one in (rows[40 + 2 * place], rows[41 + 2 * place]):
            made = [(one[0] * 100 + n, text, n) for n, text in enumerate(make(drawn, one[1]))]
            rows += made
            shop.crowds.setdefault(name, []).append((one, made))
    shop.brochures = [(ident, text, embedded(text)) for ident, text, _ in rows]
    with shop.server.connect("app") as conn:
        with conn.cursor().copy("COPY brochures FROM STDIN") as copy:
            for (ident, text, part), (_, _, vector) in zip(rows, shop.brochures, strict=True):
                copy.write_row((ident, text, part, literal(vector)))
        conn.execute("CREATE INDEX ON brochures USING hnsw (embedding vector_cosine_ops); ANALYZE brochures")
    points = [q.Point(ident, vector, {"brochure": text}) for ident, text, vector in shop.brochures]
    collection(shop, "brochures", points, vectors=q.EdgeVectorParams(size=80, distance=q.Distance.Cosine))


def crowds(shop: Inns, step: Callable[[dict[str, Any]], dict[str, Any]]) -> Iterator[Case]:
    """What stands behind a crowd, and what is found beside one."""
    import numpy as np

    matrix = np.array([vector for _, _, vector in shop.brochures])
    for name, both in shop.crowds.items():
        for number, (one, made) in enumerate(both):
            said = made[len(made) // 2][1]
            vector = embedded(said)
            order = [shop.brochures[int(place)][0] for place in np.argsort(-(matrix @ np.array(vector)))[:60]]
            crowd = {one[0], *(ident for ident, _, _ in made)}
            behind = next(ident for ident in order if ident not in crowd)
            table = shop.step("SELECT id, brochure FROM brochures ORDER BY embedding <=> $1 LIMIT 5", [vector], {"hnsw.ef_search": "400"})
            points = step({"collection": "brochures", "vector": vector, "params": {"hnsw_ef": 400}})
            for how, asked in (("rows", table), ("points", points)):
                if behind not in got(asked) and set(got(asked)) <= crowd:
                    yield Case(f"crowd-{name}-{how}-{number}", ("crowded_out",), (asked,), (behind,))
                yield Case(f"crowd-{name}-{how}-healthy-{number}", (), (asked,), (got(asked)[0],))
