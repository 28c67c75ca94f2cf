"""What declared references lose: counted on both sides, but where nothing is masked once."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Any, cast

import pytest

from envclone.models import FieldKind, FieldRule, JsonRule, Rows, StorePlan
from envclone.protocols import StoreSession
from envclone.verifier.references import _read, dangling

REFERENCES = ["kb.articles.ticket -> main.tickets.id"]


class _Store:
    """A session that has some values, and notes which fields were read."""

    def __init__(self, fields: dict[str, list[Any]]) -> None:
        self.fields = fields
        self.read_of: set[str] = set()

    def alive(self, addresses: Collection[str]) -> Iterator[Rows]:
        self.read_of |= set(addresses)
        yield from (Rows(address, {address: self.fields[address]}, {}, ()) for address in addresses)


def _plans(domain: str, *paths: tuple[str, str]) -> dict[str, StorePlan]:
    articles = FieldRule("articles", FieldKind.JSON, "keep", tuple(JsonRule(path, its) for path, its in paths))
    return {
        "main": StorePlan("main", {"tickets.id": FieldRule("tickets.id", FieldKind.TEXT, domain, base="text")}),
        "kb": StorePlan("kb", {"articles": articles}),
    }


def _counted(
    plans: dict[str, StorePlan], before: Any, after: Any, references: list[str] = REFERENCES
) -> tuple[Any, list[str], set[str]]:
    def sides(tickets: list[str], referring: list[Any]) -> dict[str, _Store]:
        documents = [json.dumps({"ticket": one}) for one in referring]
        return {"main": _Store({"tickets.id": tickets}), "kb": _Store({"articles": documents})}

    raws, cleans = sides(*before), sides(*after)
    counts, problems = dangling(
        references, plans, cast(dict[str, StoreSession], raws), cast(dict[str, StoreSession], cleans)
    )
    return counts, problems, set().union(*(one.read_of for one in raws.values()))


def test_what_is_kept_is_counted_once() -> None:
    plans = _plans("keep", ("$.ticket", "keep"), ("$.author.name", "person"), ("$.contacts[*].phone", "phone"))
    counts, problems, read = _counted(plans, (["1"], []), (["1", "2"], ["1", "3"]))
    assert counts == [{"reference": REFERENCES[0], "dangling": 1, "dangling_in_production": 1, "examples": ["3"]}]
    assert not problems and not read


@pytest.mark.parametrize(
    "plans",
    [
        _plans("key", ("$.ticket", "key")),
        _plans("key", ("$.ticket", "keep")),
        _plans("keep", ("$.ticket", "keep"), ("$.ticket.id", "email")),
        _plans("keep", ("$.ticket", "keep"), ("$.**", "text")),
        _plans("keep", ("$.*", "keep"), ("$.author.name", "person")),
    ],
    ids=["both masked", "one masked", "masked below", "masked everywhere", "not by its own path"],
)
def test_what_a_rule_may_mask_is_counted_on_both_sides(plans: dict[str, StorePlan]) -> None:
    counts, problems, read = _counted(plans, (["1", "2"], ["1", "2"]), (["7"], ["7", "8"]))
    assert (counts[0]["dangling"], counts[0]["dangling_in_production"]) == (1, 0)
    assert problems == [f"{REFERENCES[0]}: 1 dangle, 0 did in production"]
    assert read == {"tickets.id", "articles"}


def test_both_directions_are_counted_each_value_as_often_as_it_stands() -> None:
    plans = _plans("key", ("$.ticket", "key"))
    both = [REFERENCES[0].replace("->", "<->")]
    raw = (["1", "2", "3", "3"], ["1", "8", "8"])
    counts, problems, _ = _counted(plans, raw, (["5", "6", "7", "7"], ["5", "9", "9"]), both)
    assert counts == [
        {
            "reference": both[0], "dangling": 2, "dangling_in_production": 2, "examples": ["9"],
            "unreferenced": 3, "unreferenced_in_production": 3, "unreferenced_examples": ["6", "7"],
        }
    ]  # fmt: skip
    assert not problems
    _, problems, _ = _counted(plans, raw, (["5", "6", "7", "7"], ["5", "6", "9"]), both)
    assert problems == [
        f"{both[0]}: 1 dangle, 2 did in production",
        f"{both[0]}: nothing refers to 2, to 3 in production",
    ]


def test_what_is_referred_to_can_be_empty_and_examples_are_few() -> None:
    plans = _plans("keep", ("$.ticket", "keep"))
    counts, _, _ = _counted(plans, ([], []), ([], [str(n) * 50 for n in range(9)]))
    assert counts[0]["dangling"] == 9
    assert counts[0]["examples"] == ["0" * 50, "1" * 50, "2" * 50]


def test_a_document_is_read_once_for_all_of_its_references(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [json.dumps({"ticket": 7, "chunk": "a"}), json.dumps({"ticket": 8, "chunk": 2**70})]
    parsed: list[str] = []
    real = json.loads
    monkeypatch.setattr(json, "loads", lambda text: parsed.append(text) or real(text))
    kb = _Store({"articles": texts})
    read = list(
        _read({("kb", "articles", ("ticket",)), ("kb", "articles", ("chunk",))}, {"kb": cast(StoreSession, kb)})
    )
    assert parsed == texts
    assert read == [{("kb", "articles", ("ticket",)): ["7", "8"], ("kb", "articles", ("chunk",)): ["a", str(2**70)]}]


def test_one_value_is_written_in_several_forms() -> None:
    plans = _plans("keep", ("$.ticket", "keep"))
    whole = "6f1c2f0e-7b1d-4c3a-9a51-2b7f6c1d0e9a"
    referring = [
        whole.upper(),
        whole.replace("-", ""),
        f"{{{whole}}}",
        f"urn:uuid:{whole}",
        17,
        "17",
        17.0,
        "017",
        None,
        [17, None],
    ]
    counts, _, _ = _counted(plans, ([], []), ([whole, "17"], referring))
    assert (counts[0]["dangling"], counts[0]["examples"]) == (1, ["017"])
    counts, _, _ = _counted(plans, ([], []), ([whole.replace("-", "").upper(), "17.00"], [whole, "17"]))
    assert counts[0]["dangling"] == 0


def test_a_list_where_an_object_was_expected_is_looked_into() -> None:
    from envclone.verifier.references import below

    document = {"meta": {"tickets": [{"id": 1}, {"id": [2, None]}, {"id": None}, "x"]}}
    assert list(below(document, ("meta", "tickets", "id"))) == ["1", "2"]
    assert list(below(document, ("meta", "tickets", "[]", "id"))) == ["1", "2"]
    assert list(below([document], ("[]", "meta", "tickets", "id", "[]"))) == ["1", "2"]
    assert list(below(document["meta"]["tickets"][0], ("[]", "id", "[]"))) == ["1"]
