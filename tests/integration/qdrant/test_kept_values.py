"""What a rule keeps in payloads is searched by value: identities, parts of one person, a point's subject, names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import qdrant_edge as q

from tests.support.qdrant import Payload, build
from tests.support.stack import Place, place

STACK = """\
version: 1
project: kept
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      kb: {kind: qdrant, source: {method: directory, path: "${SOURCE}"}}
sanitize:
{accept}
  rules:
    kb:
      articles.author.first: person
      articles.author.last: person
      articles.author.mail: email
      articles.note: keep
      articles.greeting: keep
      articles.topic: keep
      articles.vectors: keep
      articles.point_ids: keep
"""
FIRST = ("Wolfhard", "Brunhilda", "Jessica", "Ottokar", "Grace", "Kunigunde", "Theobald", "Walburga")
LAST = ("Quenzelmann", "Drachsler", "Henderson", "Moraleda", "Zwiebelhofer", "Achterberg", "Silberknecht")
TOPICS = ("refunds by the grace of the desk", "how to pay", "the henderson method", "a word on shipping")


def _payload(number: int) -> Payload:
    first, last = FIRST[number % 8], LAST[number % 7]
    return {
        "author": {"first": first, "last": last, "mail": f"{first}.{last}{number}@q.example".lower()},
        "note": f"case {number} was closed",
        "greeting": "Dear customer",
        "topic": TOPICS[number % 4],
    }


def _leaking(number: int) -> Payload:
    found = _payload(number)
    if number == 17:
        found["note"] = f"ask {FIRST[17 % 8]} {LAST[17 % 7]}"
    if number == 18:
        found["note"] = f"see {_payload(30)['author']['mail']}"
    found["greeting"] = f"Dear {FIRST[number % 8]}"
    return found


def _called(here: Place, root: Path, accept: str = "", *, check: bool = True) -> Any:
    here.env["SOURCE"] = str(root)
    here.write(STACK.replace("{accept}\n", accept))
    return here.call("image", "prod", "--fresh", "--json", check=check)


@pytest.fixture
def here() -> Iterator[Place]:
    with place() as made:
        yield made


def test_payloads_without_any_of_it_become_an_image(here: Place, tmp_path: Path) -> None:
    made = build(tmp_path / "storage", points=120, payload=_payload, indexed=("author.mail", "topic"))
    assert _called(here, made.root).returncode == 0


def test_everything_is_found_in_one_run_and_can_be_accepted(here: Place, tmp_path: Path) -> None:
    made = build(tmp_path / "storage", points=120, payload=_leaking, indexed=("author.mail",))
    edge = made.edge()
    key = f'"{_payload(5)["author"]["mail"]}"'
    edge.update(q.UpdateOperation.create_field_index(key, q.PayloadSchemaType.Keyword))
    edge.flush()
    edge.close()
    done = _called(here, made.root, check=False)
    assert done.returncode == 4, done.stdout + done.stderr
    for name in FIRST + LAST:
        assert name.lower() not in done.stdout.lower()
    found = json.loads(done.stdout)["error"]["findings"]
    fields = [one for one in found if one["station"] == "fields"]
    assert {one["place"] for one in fields} == {"kb.articles"}
    (mail,) = [one for one in fields if one["kind"] == "email"]
    assert mail["examples"] == ["point 18 at $.note"]
    assert mail["context"] == "aaa [aaaaaaaa.aaaaaaaaa99@a.aaaaaaa]" or "[" in mail["context"]
    assert '{"$.note": text}' in mail["remedy"]
    (pair,) = [one for one in fields if one["what"] == "two parts of one person's identity"]
    assert pair["examples"] == ["point 17 at $.note"]
    (own,) = [one for one in fields if one["what"].startswith("what the row's own subject is called")]
    assert own["examples"][0].endswith("at $.greeting")
    assert own["times"] >= 100
    assert '{"$.greeting": text}' in own["remedy"]
    definitions = [one for one in found if one["station"] == "definitions"]
    assert [(one["place"], one["kind"]) for one in definitions] == [("kb.definition of articles", "email")]

    edge = made.edge()
    edge.update(q.UpdateOperation.delete_field_index(key))
    edge.flush()
    edge.close()
    exceptions = {(one["place"], one["kind"]) for one in fields}
    lines = "".join(
        f'    - {{field: "{field}", kind: {kind}, reason: somebody looked at it}}\n'
        for field, kind in sorted(exceptions)
    )
    again = _called(here, made.root, f"  accept:\n{lines}", check=False)
    assert again.returncode == 0, again.stdout + again.stderr
