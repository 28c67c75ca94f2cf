"""How fast an image is made, stage by stage: python -m tests.benchmarks.sanitize --rows 100000 --rows 1000000 --json
                                           python -m tests.benchmarks.sanitize --rows 200000 --shape json --json
                                           python -m tests.benchmarks.sanitize --kept 2000 --json
                                           python -m tests.benchmarks.sanitize --kept 300 --shape markdown --json

For each number of rows a table of customers (name, e-mail, telephone number, date of birth, a note of about 200
characters that names persons) with a vector is made in a real PostgreSQL, and its image is made in a process of its
own. Per stage: seconds, rows a second and MB of table a second; the peak of the process's own memory up to its end
(the private server's is not in it), and the peak of any of the copies that it works with. `peak_mb` is the resident set
(`ru_maxrss`), in which the pages of mapped files are counted, that the kernel can drop and read again, and libraries;
`own_mb` is what the process has for itself and nothing can take from it (anonymous pages), sampled. In the same run the
same database is dumped and restored by PostgreSQL's own tools, unmasked, and by Greenmask where $GREENMASK_BIN is set:
`ratio` is the image's time (its copy included) over theirs. `--kept MB` makes a table of mostly kept bytes instead:
vectors, and notes of hexadecimal digits, or with `--shape markdown` as a model writes them. `--shape json` makes one of
documents (jsonb with a rule for every path), arrays, addresses of networks, numbers, timestamps and dates by subject,
and names that are not ASCII. `linear` is the time per row at the largest size over that at the smallest.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

from tests.benchmarks.dumped import dump_and_restore, greenmask
from tests.benchmarks.memory import Own
from tests.support.postgres import production
from tests.support.stack import place

STACK = """\
version: 1
project: bench
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}
sanitize:
  rules:
    main:
      public.customers.id: keep
      public.customers.name: person
      public.customers.email: email
      public.customers.phone: phone
      public.customers.born: {domain: date, by: id}
      public.customers.note: text
      public.customers.embedding: {vectors: keep}
"""
STACK_KEPT = (
    STACK[: STACK.index("      public.customers.id")]
    + """\
      public.customers.id: keep
      public.customers.name: person
      public.customers.note: keep
      public.customers.embedding: {vectors: keep}
"""
)
STACK_JSON = (
    STACK[: STACK.index("      public.customers.id")]
    + """\
      public.customers.id: keep
      public.customers.name: person
      public.customers.email: email
      public.customers.born: {domain: date, by: id}
      public.customers.seen: {domain: date, by: id}
      public.customers.address: ip
      public.customers.amount: number
      public.customers.token: uuid
      public.customers.phones: phone
      public.customers.late: person
      public.customers.document:
        $.name: person
        $.contact.email: email
        $.contact.ips[*]: ip
        $.orders[*].recipient: person
        $.orders[*].amount: number
        $.orders[*].sku: keep
        $.plan: keep
        $.note: text
"""
)
_DIMENSIONS, _NOTE = 384, 2048
"""Of the vectors, and bytes of a note, in the table of mostly kept bytes."""
_WORDS = tuple(
    re.findall(
        r"\w+",
        "the import order account customer settings which every failed again because between release field value "
        "update shows number before until section database index search answer please check message window table "
        "retry limit timeout after request plan team business invoice refund delivery address page button save open",
    )
)
_MARKDOWN = (
    "### {a} {b}\n\n",
    "{plain}. ",
    "{plain}; {a} {b}. ",
    "1. Open **{a} {b}** and choose `{c}`.\n2. Set `{a}_{b}` to *{n}* (the `{c}` of a {b}).\n\n",
    "- `{a}.{b}()` returns {n} {c}s\n- {plain}\n",
    '```python\n{a} = {b}({n})\nprint({a}.{c}, {a}["{b}"])\n```\n\n',
    "| {a} | {b} | {c} |\n|---|---|---|\n| {n} | {a} | {c} |\n\n",
    "> {plain}\n\nSee the {a} of the {b}, it's {n} % of the {c}. ",
)
_HASHED = ("name", "email", "phone", "note")
STAGES = {
    "opening the copy": "open",
    "collecting people": "identities",
    "masking": "rewrite",
    "cleaning the files": "scrub",
    "comparing rows": "compare",
    "collecting the originals": "originals",
    "row by row": "compare",
    "checking references": "references",
    "asking the vector indexes": "questions",
    "checking the files": "files",
    "accounting for every byte": "bytes",
    "sealing": "sealing",
}
"""Stages by what the progress says as they begin."""


def fill(dsn: str, rows: int) -> int:
    """Make the table; returns its bytes."""
    from envclone.masking.names import _load

    names = _load()
    given = sorted(n for n in names.given if n.isascii())[:: max(1, len(names.given) // 4000)]
    family = sorted(n for n in names.places if n.isascii() and n not in names.given)[::4]
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("CREATE EXTENSION IF NOT EXISTS vector")
        conn.execute(
            "CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, email text NOT NULL UNIQUE, phone text,"
            " born date, note text, embedding vector(16))"
        )
        with conn.cursor() as cursor, cursor.copy("COPY customers FROM STDIN") as copy:
            for i in range(rows):
                first, last = given[i * 7919 % len(given)].title(), family[i * 104_729 % len(family)].title()
                other = f"{given[i * 31 % len(given)].title()} {family[i * 17 % len(family)].title()}"
                copy.write_row(
                    (
                        *(
                            i + 1,
                            f"{first} {last}",
                            f"{first}.{last}{i}@corp.example".lower(),
                            f"+49 30 {10_000_000 + i}",
                        ),
                        f"{1940 + i % 60}-{1 + i % 12:02d}-{1 + i % 28:02d}",
                        f"{first} {last} called about invoice {i}; the amount was wrong and {other} had promised a "
                        "correction by Friday. Please call back in the afternoon, the mornings are always busy there.",
                        "[" + ",".join(str((i * k) % 97 / 97) for k in range(1, 17)) + "]",
                    )
                )
        conn.execute("ANALYZE customers")
        row = conn.execute("SELECT pg_total_relation_size('customers'), pg_table_size('customers')").fetchone()
    return int(row[1]) if row else 0


def fill_json(dsn: str, rows: int) -> int:
    """Make a table of documents and of types that are not texts; returns its bytes."""
    from envclone.masking.names import _load

    names = _load()
    given = sorted(names.given)[:: max(1, len(names.given) // 4000)]
    family = sorted(n for n in names.places if n not in names.given)[::4]
    rng = random.Random(1)
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(
            "CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, email text, born date, seen timestamptz,"
            " address inet, amount numeric(12,2), token uuid, phones text[], document jsonb)"
        )
        with conn.cursor() as cursor, cursor.copy("COPY customers FROM STDIN") as copy:
            for i in range(rows):
                first, last = given[i * 7919 % len(given)].title(), family[i * 104_729 % len(family)].title()
                address = ".".join(str(rng.randrange(1, 224)) for _ in range(4))
                document = {
                    "name": f"{first} {last}",
                    "plan": ("free", "team", "business")[i % 3],
                    "contact": {"email": f"{first}.{last}{i}@corp.example".lower(), "ips": [address, "10.0.0.7"]},
                    "orders": [
                        {"sku": f"A-{i % 97}", "amount": i % 1000 + k / 4, "recipient": f"{last}, {first}"}
                        for k in range(i % 4)
                    ],
                    "note": f"{first} {last} called about invoice {i}.",
                }
                copy.write_row(
                    (
                        *(i + 1, f"{first} {last}", f"{first}.{last}{i}@corp.example".lower()),
                        f"{1940 + i % 60}-{1 + i % 12:02d}-{1 + i % 28:02d}",
                        f"2024-{1 + i % 12:02d}-{1 + i % 28:02d} {i % 24:02d}:{i % 60:02d}:07.{i % 1000:03d}+00",
                        *(address, f"{i % 100_000}.{i % 100:02d}", f"{rng.getrandbits(128):032x}"),
                        f'{{"+49 30 {10_000_000 + i}","+1 415 555 {i % 10_000:04d}"}}',
                        json.dumps(document, ensure_ascii=False),
                    )
                )
        conn.execute("ALTER TABLE customers ADD COLUMN late text DEFAULT 'n/a'")
        conn.execute("ANALYZE customers")
        row = conn.execute("SELECT pg_table_size('customers')").fetchone()
    return int(row[0]) if row else 0


def _markdown(rng: random.Random) -> str:
    """A note as a model writes it: headings, lists, emphasis, code, a table, and plain sentences."""
    parts: list[str] = []
    while sum(map(len, parts)) < _NOTE:
        a, b, c = (rng.choice(_WORDS) for _ in range(3))
        parts.append(
            rng.choice(_MARKDOWN).format(
                a=a, b=b, c=c, n=rng.randrange(1, 400), plain=" ".join(rng.choices(_WORDS, k=rng.randrange(6, 18)))
            )
        )
    return "".join(parts)[:_NOTE]


def fill_kept(dsn: str, megabytes: int, markdown: bool = False) -> tuple[int, int]:
    """Make a table of vectors and kept notes with one masked column; returns its rows and its bytes."""
    rows = megabytes * 1_000_000 // (_DIMENSIONS * 4 + _NOTE)
    rng = random.Random(1)
    vectors = ["[" + ",".join(f"{rng.random():.4f}" for _ in range(_DIMENSIONS)) + "]" for _ in range(64)]
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("CREATE EXTENSION IF NOT EXISTS vector")
        conn.execute(
            "CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, note text, "
            f"embedding vector({_DIMENSIONS}))"
        )
        conn.execute("ALTER TABLE customers ALTER note SET STORAGE EXTERNAL")
        with conn.cursor() as cursor, cursor.copy("COPY customers FROM STDIN") as copy:
            for i in range(rows):
                note = _markdown(rng) if markdown else rng.randbytes(_NOTE // 2).hex()
                copy.write_row((i + 1, f"Quenzel{i % 5000} Marblethorpe{i % 701}", note, vectors[i % 64]))
        conn.execute("ANALYZE customers")
        row = conn.execute("SELECT pg_table_size('customers')").fetchone()
    return rows, int(row[0]) if row else 0


def measure(rows: int, kept: int = 0, shape: str = "text", alone: bool = False) -> dict[str, Any]:
    """One size: of customers of a shape, or of `kept` MB of mostly kept bytes; `alone` leaves out the other tools."""
    with production(18) as server, place(size=f"{max(2, rows // 200_000, kept * 3 // 1000)}G") as here:
        server.create_database("app")
        if kept:
            rows, size = fill_kept(server.dsn_for("app"), kept, shape == "markdown")
        else:
            size = (fill_json if shape == "json" else fill)(server.dsn_for("app"), rows)
        here.env["DSN"] = server.dsn_for("app")
        here.write(STACK_KEPT if kept else STACK_JSON if shape == "json" else STACK)
        dumped, other = 0.0, None
        with tempfile.TemporaryDirectory() as scratch:
            if not alone:
                dumped = dump_and_restore(server, "app", Path(scratch))
                other = greenmask(
                    server, "app", Path(scratch), {"customers": ["name"] if kept or shape == "json" else list(_HASHED)}
                )
        started = time.monotonic()
        done = here.call("snapshot", "prod")
        copied = time.monotonic() - started
        from envclone import process

        with Own().watched() as own:
            done = process.run(
                [sys.executable, "-m", "tests.benchmarks.sanitize", "--child", here.file],
                env={"PYTHONPATH": str(Path(__file__).parents[2]), **here.env},
                timeout=7200,
            )
        child = json.loads(done.stdout)
    stages = {"copy": copied, **child["stages"]}
    return {
        "rows": rows,
        "table_mb": round(size / 1e6),
        "seconds": round(child["seconds"], 1),
        "rows_per_second": round(rows / child["seconds"]),
        "peak_mb": child["peak_mb"],
        "peak_of_copies_mb": child["peak_of_copies_mb"],
        "own_mb": own.first,
        "own_of_copies_mb": own.copies,
        "cpu_seconds": round(child["cpu"], 1),
        "rows_per_cpu_second": round(rows / child["cpu"]),
        "mb_per_second": round(size / 1e6 / child["seconds"], 1),
        "dump_and_restore_seconds": None if alone else round(dumped, 1),
        "ratio": None if alone else round((copied + child["seconds"]) / dumped, 2),
        "greenmask_seconds": None if other is None else round(other, 1),
        "greenmask_ratio": None if other is None else round((copied + child["seconds"]) / other, 2),
        "stages": {
            name: {
                "seconds": round(seconds, 2),
                "rows_per_second": round(rows / max(seconds, 0.01)),
                "mb_per_second": round(size / 1e6 / max(seconds, 0.01), 1),
                "peak_mb": child["peaks"].get(name, 0),
            }
            for name, seconds in stages.items()
        },
    }


def child(file: str) -> dict[str, Any]:
    """Make the image in this process, and note when each stage began."""
    from envclone.api import open_stack
    from envclone.models import ProgressEvent

    times: dict[str, float] = {}
    peaks: dict[str, int] = {}
    state = {"stage": "open", "since": time.monotonic()}

    def progress(event: ProgressEvent) -> None:
        now = time.monotonic()
        name = STAGES.get(event.step)
        times[str(state["stage"])] = times.get(str(state["stage"]), 0.0) + now - float(state["since"])
        peaks[str(state["stage"])] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        state["since"] = now
        if name is not None:
            state["stage"] = name

    started = time.monotonic()
    open_stack(file, progress=progress).image("prod")
    progress(ProgressEvent("end", 0))
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {
        "seconds": time.monotonic() - started,
        "cpu": sum(one.ru_utime + one.ru_stime for one in used),
        "peak_of_copies_mb": round(used[1].ru_maxrss / 1024),
        "stages": times,
        "peaks": peaks,
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, action="append", metavar="N")
    parser.add_argument("--kept", type=int, metavar="MB", help="a table of mostly kept bytes")
    parser.add_argument("--shape", choices=("text", "json", "markdown"), default="text", help="what the table holds")
    parser.add_argument("--alone", action="store_true", help="leave out the dump and the other tools: half the time")
    parser.add_argument("--child", metavar="FILE", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.child:
        print(json.dumps(child(options.child)))
        return 0
    if options.kept:
        kept = measure(0, options.kept, options.shape, alone=options.alone)
        print(json.dumps(kept, indent=None if options.json else 2))
        return 0
    if options.shape == "markdown":
        parser.error("notes in Markdown are those of --kept")
    sizes = sorted(options.rows or [100_000, 1_000_000])
    measured = [measure(rows, shape=options.shape, alone=options.alone) for rows in sizes]
    result: dict[str, Any] = {"sizes": measured}
    if len(measured) > 1:
        first, last = measured[0], measured[-1]
        result["linear"] = round(last["seconds"] / last["rows"] / (first["seconds"] / first["rows"]), 3)
    print(json.dumps(result, indent=None if options.json else 2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
