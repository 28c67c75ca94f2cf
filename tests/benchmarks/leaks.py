"""Planted leaks, and innocent texts: python -m tests.benchmarks.leaks [--reduced] [--among N]

Every kind of identity is put into every place that a rule keeps, in every spelling; an image is asked for, and what is
not among its findings was missed. The same spellings stand in a text that is masked: what is published there and says
what production said was missed. Texts of everyday words that are somebody's name stand in kept columns: what is refused
of them was refused wrongly. What production keeps beside its rows and objects (files, logs, former versions) is
planted, and the bytes of the image are searched for it. With `--among N` the tables of people hold N others besides,
with names of the dictionary: beyond 20,000 originals another search finds them, and names meet by chance. Prints JSON:
how many were planted, caught and missed, how many texts refused, and which.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from envclone.masking.names import all_names, given_names
from envclone.stores.qdrant.residue import expand
from tests import conftest  # noqa: F401 - it says where the server with contrib is
from tests.support import innocent, qdrantplaces
from tests.support.identities import SPELLINGS, Someone, someone, spelled
from tests.support.placements import EXTENSIONS, PLACES, PREPARED, RULES
from tests.support.postgres import Production, production
from tests.support.qdrant import build
from tests.support.qdrantplaces import POINT_PLACES, build_gone, build_people, build_place
from tests.support.removed import SETTINGS, left_in, plant, plant_files, plant_forks
from tests.support.stack import Place, place

__all__ = ["measure"]

_STACK = """\
version: 1
project: leaks
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}"}}
"""
_KB = '      kb: {kind: qdrant, source: {method: directory, path: "${KB}"}}\n'
_PEOPLE = """\
sanitize:
  rules:
    main:
      public.people.id: keep
      public.people.name: person
      public.people.email: email
      public.people.phone: phone
      public.people.ssn: national_id
      public.people.card: card
      public.people.iban: iban
      public.people.login: username
      public.people.device: uuid
      public.people.token: secret
      public.people.home: address
      public.members.id: keep
      public.members.first_name: person
      public.members.last_name: person
      public.members.street: address
      public.members.zip: address
"""
_KINDS = tuple(SPELLINGS)
_WIDE = 150
"""Columns of one table, each for one placement."""
_PAYLOADS = 40
_MASKED = 2000
"""The number of the first person of masked texts: those of kept places have lower ones."""


@dataclass(frozen=True)
class Planted:
    """One identity in one place; `found` is a pattern of the place that a finding has to name."""

    number: int
    kind: str
    place: str
    spelling: str
    found: str

    @property
    def said(self) -> str:
        """What is planted, in a line."""
        return f"{self.kind} in {self.place}, {self.spelling}"


def _spread(everything: Sequence[Any], share: int) -> Sequence[Any]:
    return everything[::share]


def _spellings(share: int) -> list[tuple[str, str]]:
    return list(_spread([(kind, how) for kind in _KINDS for how in SPELLINGS[kind]], share))


def _others(count: int) -> Iterator[tuple[int, str, str, str, str]]:
    """So many other people: number, first and last name, street and postal code."""
    draw = random.Random(7)
    firsts = sorted(name for name in given_names() if name.isascii() and len(name) > 3)
    lasts = sorted(name for name in all_names() - given_names() if name.isascii() and len(name) > 3)
    for i in range(count):
        first, last = draw.choice(firsts).title(), draw.choice(lasts).title()
        yield 100_000 + i, first, last, f"{last} Road {draw.randrange(1, 400)}", f"{draw.randrange(10_000, 99_999)}"


def _tables(connection: psycopg.Connection[Any], people: Iterable[tuple[int, str]], among: int) -> None:
    """The tables of people, `among` others: those of whom parts are known have their own."""
    connection.execute(
        "CREATE TABLE people (id int PRIMARY KEY, name text, email text, phone text, ssn text, card text, iban text,"
        " login text, device uuid, token text, home text);"
        "CREATE TABLE members (id int PRIMARY KEY, first_name text, last_name text, street text, zip text)"
    )
    whole, parts = [], []
    for number, kind in people:
        one = someone(number)
        if kind in ("pair", "placed"):
            parts.append((number, one.first, one.last, one.street, one.zip))
        else:
            whole.append((number, one.name, one.email, one.phone, one.ssn, one.card, one.iban, one.login, one.device,
                          one.token, one.value("address")))  # fmt: skip
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO people VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)", whole)
        cursor.executemany("INSERT INTO members VALUES (%s, %s, %s, %s, %s)", parts)
        with cursor.copy("COPY members FROM STDIN") as copy:
            for row in _others(among):
                copy.write_row(row)
        with cursor.copy("COPY people (id, name, email) FROM STDIN") as copy:
            for number, first, last, *_ in _others(among):
                copy.write_row((number, f"{first} {last}", f"{first}.{last}.{number}@corp.example".lower()))


class _Kept:
    """A production that keeps identities everywhere; `planted` says where."""

    def __init__(self, server: Production, kb: Any, share: int, among: int) -> None:
        self.planted: list[Planted] = []
        self._number = 0
        server.create_database("app")
        with server.connect("app") as connection:
            connection.execute("SET allow_system_table_mods = on")
            for name in EXTENSIONS:
                connection.execute(f"CREATE EXTENSION {name}".encode())
            connection.execute(PREPARED.encode())
            self._texts(connection, share)
            self._places(connection, share)
            payloads = self._payloads(share)
            _tables(connection, [(one.number, one.kind) for one in self.planted], among)
        assert self._number < _MASKED
        build(kb, points=len(payloads), payload=lambda number: payloads[number])

    def _next(self, kind: str, where: str, spelling: str, found: str) -> Someone:
        self._number += 1
        self.planted.append(Planted(self._number, kind, where, spelling, found))
        return someone(self._number)

    def _texts(self, connection: psycopg.Connection[Any], share: int) -> None:
        rows = [
            spelled(self._next(kind, "a kept text", how, f"c{self._number + 1:04d}"), kind, how)
            for kind, how in _spellings(share)
        ]
        for first in range(0, len(rows), _WIDE):
            part = rows[first : first + _WIDE]
            names = [f"c{first + i + 1:04d}" for i in range(len(part))]
            columns = ", ".join(f"{name} text" for name in names)
            connection.execute(f"CREATE TABLE kept{first} ({columns})".encode())
            marks = ", ".join(["%s"] * len(part))
            connection.execute(f"INSERT INTO kept{first} VALUES ({marks})".encode(), part)

    def _places(self, connection: psycopg.Connection[Any], share: int) -> None:
        for turn, where in enumerate(PLACES):
            kinds = where.kinds or [_KINDS[(turn * 3 + i * 4) % len(_KINDS)] for i in range(2)]
            for kind in kinds[: 1 if share > 1 else None]:
                number = self._number + 1
                one = someone(number)
                try:
                    connection.execute(where.filled(one.value(kind), number).encode())
                except psycopg.Error as exc:
                    raise AssertionError(f"{kind} cannot be put into {where.what}: {exc}") from exc
                self._next(kind, where.what, "plain", where.address(number))

    def _payloads(self, share: int) -> list[dict[str, Any]]:
        payloads: list[dict[str, Any]] = []
        ways = _spread([(k, h) for k in ("person", "email", "card", "uuid") for h in SPELLINGS[k]], share * 3)
        for turn, (kind, how) in enumerate(ways[:_PAYLOADS]):
            said = spelled(self._next(kind, "a payload", how, "^kb.articles$"), kind, how)
            payloads.append({"note": {"deep": [said]}} if turn % 3 else {"tags": {said: 1}})
        return payloads


def _missed(planted: Sequence[Planted], findings: Sequence[dict[str, Any]]) -> list[Planted]:
    """What no finding names: at a place of its own any does, at a shared one as many as were planted of a kind."""
    budget: Counter[int] = Counter({number: one["times"] for number, one in enumerate(findings)})
    missed = []
    for one in planted:
        wanted = {"pair": ("person",), "placed": ("person", "address")}.get(one.kind, (one.kind,))
        own = f"{one.number:04d}"
        hits = [
            number
            for number, finding in enumerate(findings)
            if re.search(one.found, finding["place"])
            and (own in finding["place"] or (finding["kind"] in wanted and budget[number] > 0))
        ]
        if hits:
            budget[hits[0]] -= 1
        else:
            missed.append(one)
    return missed


def _findings(here: Place, *arguments: str) -> list[dict[str, Any]]:
    """What an image is refused for; nothing when it is made. A refusal for another reason raises AssertionError."""
    done = here.call("image", "prod", "--fresh", "--json", *arguments, check=False)
    if done.returncode == 0:
        return []
    error = json.loads(done.stdout)["error"]
    assert error.get("findings"), (done.returncode, error, done.stderr[-2000:])
    return list(error["findings"])


@contextmanager
def _at(server: Production, database: str, stack: str) -> Iterator[Place]:
    with place() as here:
        here.env["DSN"] = server.dsn_for(database)
        here.env["ENVCLONE_PG_BIN_17"] = str(server.engine.bindir)
        here.env["KB"] = str(here.directory / "storage")
        here.write(stack)
        yield here


def _kept(server: Production, share: int, among: int) -> dict[str, Any]:
    kb = "    kb: {articles.**: keep, articles.vectors: keep, articles.point_ids: keep}\n"
    with _at(server, "app", "") as here:
        kept = _Kept(server, here.directory / "storage", share, among)
        words = [one.found for one in kept.planted if one.place == "tsvector"]
        rules = RULES + "".join(f"      {address}: {{words: keep}}\n" for address in words)
        here.write(_STACK + _KB + _PEOPLE + rules + kb)
        missed = _missed(kept.planted, _findings(here))
    return {
        "planted": len(kept.planted),
        "caught": len(kept.planted) - len(missed),
        "missed": [one.said for one in missed],
    }


def _masked(server: Production, share: int, among: int) -> dict[str, Any]:
    """Everything stands in a text that is masked, in a row of its own."""
    ways = _spellings(share)
    server.create_database("texts")
    with server.connect("texts") as connection:
        _tables(connection, [(_MASKED + i, kind) for i, (kind, _) in enumerate(ways)], among)
        connection.execute("CREATE TABLE mails (id int PRIMARY KEY, body text)")
        bodies = {i: spelled(someone(_MASKED + i), kind, how) for i, (kind, how) in enumerate(ways)}
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO mails VALUES (%s, %s)", list(bodies.items()))
    rules = "      public.mails.id: keep\n      public.mails.body: text\n"
    refused: list[int] = []
    with _at(server, "texts", _STACK + _PEOPLE + rules) as here:
        while findings := _findings(here):
            rows = {
                int(n) for one in findings for example in one["examples"] for n in re.findall(r"^id=(\d+)", example)
            }
            assert rows, findings
            refused += rows
            server.execute(f"DELETE FROM mails WHERE id = ANY ('{{{','.join(map(str, rows))}}}')", "texts")
        here.call("branch", "prod", "--name", "b")
        with psycopg.connect(here.json("show", "b")["urls"]["main"]) as connection:
            told = dict(connection.execute("SELECT id, body FROM mails").fetchall())
    missed = [i for i, body in told.items() if _says(body, bodies[i], someone(_MASKED + i).value(ways[i][0]))]
    return {
        "planted": len(ways),
        "masked": len(told) - len(missed),
        "refused": [f"{ways[i][0]}, {ways[i][1]}" for i in refused],
        "missed": [f"{ways[i][0]}, {ways[i][1]}" for i in missed],
    }


def _says(body: str, before: str, value: str) -> bool:
    """Whether a text still says what it said, wholly or as the value is spelled plainly."""
    return body == before or value.lower() in body.lower()


def _innocent(server: Production, count: int, among: int) -> dict[str, Any]:
    """A text in each row, which refers to somebody: the texts are nobody's all the same."""
    server.create_database("calm")
    with server.connect("calm") as connection:
        connection.execute(
            "CREATE TABLE people (id int PRIMARY KEY, name text, email text);"
            "CREATE TABLE members (id int PRIMARY KEY, first_name text, last_name text);"
            "CREATE TABLE notes (id int PRIMARY KEY, person int REFERENCES people, member int REFERENCES members,"
            " body text, meta jsonb, words text[])"
        )
        with connection.cursor() as cursor:
            people = [
                (i, f"{first} {last}", f"{first}.{last}{i}@corp.example".lower())
                for i, (first, last) in enumerate(innocent.PEOPLE)
            ]
            people += [(n, f"{a} {b}", f"{a}.{b}.{n}@corp.example".lower()) for n, a, b, *_ in _others(among)]
            cursor.executemany("INSERT INTO people VALUES (%s, %s, %s)", people)
            cursor.executemany("INSERT INTO members VALUES (%s, %s, %s)",
                               [*((i, *names) for i, names in enumerate(innocent.PEOPLE)),
                                *(one[:3] for one in _others(among))])  # fmt: skip
            rows = []
            for i, text in enumerate(innocent.texts(count)):
                body, meta, words = (text, None, None), (None, json.dumps({"a": text}), None), (None, None, [text])
                number = i * 31 % len(innocent.PEOPLE)
                rows.append((i, number, number, *(body, meta, words)[i % 3]))
            cursor.executemany("INSERT INTO notes VALUES (%s, %s, %s, %s, %s, %s)", rows)
    rules = """\
sanitize:
  rules:
    main: {public.people.id: keep, public.people.name: person, public.people.email: email, public.members.id: keep,
           public.members.first_name: person, public.members.last_name: person, public.notes.*: keep}
"""
    with _at(server, "calm", _STACK + rules) as here:
        findings = _findings(here)
    return {
        "texts": count,
        "refused": sum(one["times"] for one in findings),
        "said": [f"{one['place']}: {one['what']} {one['context']}" for one in findings][:10],
    }


_REMOVED = """\
sanitize:
  rules:
    main: {public.people.id: keep, public.people.name: person, public.people.email: email, public.people.phone: phone,
           public.people.login: username, public.people.token: secret, public.tried.*: keep, public.removed_*.*: keep}
"""


def _removed(*, twice: bool) -> dict[str, Any]:
    """Somebody stands in everything that no image may have: in the bytes of one nobody is left.

    The image is made of the stopped cluster, and where it is made `twice`, of the running one before.
    """
    left: list[str] = []
    with production(17, SETTINGS) as server:
        planted = plant(server)
        sources = ['{method: physical, dsn: "${DSN}"}'] if twice else []
        for source in [*sources, '{method: directory, path: "${DATA}", database: removed}']:
            if "directory" in source:
                server.stop()
                planted += plant_files(server)
            stack = re.sub(r"source: \{.*\}\}", lambda _, its=source: f"source: {its}}}", _STACK) + _REMOVED
            with _at(server, "removed", stack) as here:
                here.env["DATA"] = str(server.data)
                here.call("image", "prod", "--fresh")
                left += left_in(here.pool / "images", planted)
        there = {one.split(" in ")[0] for one in left_in(server.data, planted)}
        if twice:  # what is in maps of pages is refused
            with _at(server, "removed", stack) as here:
                here.env["DATA"] = str(server.data)
                forks = plant_forks(server)
                places = {one["place"] for one in _findings(here)}
                left += [one.what for one in forks if not any(one.what.removeprefix("fork ") in at for at in places)]
    return {"planted": len(planted), "in production's files": len(there), "left": left}


_POINTS = """\
version: 1
project: leaks
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      kb: {kind: qdrant, source: {method: directory, path: "${KB}"}}
sanitize:
  rules:
    kb:
      people.name: person
      people.email: email
      people.phone: phone
      people.ssn: national_id
      people.card: card
      people.login: username
      people.device: uuid
      people.vectors: keep
      people.point_ids: keep
"""


def _points() -> dict[str, Any]:
    """Somebody stands in every place of a Qdrant production, each a kept collection; and in what is gone of another."""
    numbers = range(qdrantplaces.FIRST, qdrantplaces.FIRST + 3 * len(POINT_PLACES))
    with place() as here:
        root, rules, names = here.directory / "storage", "", []
        here.env["KB"] = str(root)
        build_people(root, numbers)
        for number, where in enumerate(POINT_PLACES, numbers.start):
            name, value = build_place(root, where, number)
            names.append(name)
            rules += "".join(f"      {name}.{what}: keep\n" for what in ("'**'", "vectors", "point_ids"))
            rules += f"      {name}.vectors.{value}: keep\n" if where.options is not None else ""
        here.write(_POINTS + rules.replace("'**'", "**"))
        told = [one["place"] for one in _findings(here)]
    with place() as here:
        root = here.directory / "storage"
        here.env["KB"] = str(root)
        build_people(root, numbers)
        gone = list(build_gone(root, numbers.start + len(POINT_PLACES)))
        here.write(_POINTS + "".join(f"      calm.{what}: keep\n" for what in ("**", "vectors", "point_ids")))
        here.call("image", "prod", "--fresh")
        left = list(left_in(here.pool / "images", gone))
        for directory in (here.pool / "images").glob("*/kb"):
            for where_, raw in expand(directory):
                left += [f"{one.what} in {where_}" for one in gone if any(v.encode() in raw for v in one.values)]
    missed = [one.what for one, name in zip(POINT_PLACES, names, strict=True) if not any(name in at for at in told)]
    return {"planted": len(POINT_PLACES) + len(gone), "missed": missed, "left": left}


def measure(share: int = 1, texts: int = 2000, among: int = 0) -> dict[str, Any]:
    """Plant every `share`-th spelling in every place, and so many innocent texts, `among` so many other people."""
    began = time.monotonic()
    with production(17) as server:
        report: dict[str, Any] = {
            "kept": _kept(server, share, among),
            "masked": _masked(server, share, among),
            "innocent": _innocent(server, texts, among),
        }
    report["removed"] = _removed(twice=share == 1)
    if share == 1:
        report["points"] = _points()
    report["seconds"] = round(time.monotonic() - began, 1)
    return report


def main() -> int:
    """Run, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reduced", action="store_true", help="what the tests run")
    parser.add_argument("--texts", type=int, default=2000, metavar="N")
    parser.add_argument("--among", type=int, default=0, metavar="N", help="other people in the tables of people")
    options = parser.parse_args()
    share, texts = (12, 200) if options.reduced else (1, options.texts)
    found = measure(share, texts, options.among)
    print(json.dumps(found, indent=2, ensure_ascii=False))
    missed = found["kept"]["missed"] + found["masked"]["missed"] + found["removed"]["left"]
    missed += found["points"]["missed"] + found["points"]["left"] if "points" in found else []
    return int(bool(missed) or found["innocent"]["refused"] * 100 > found["innocent"]["texts"])


if __name__ == "__main__":
    sys.exit(main())
