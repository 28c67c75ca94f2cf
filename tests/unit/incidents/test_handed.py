"""A masked bundle for other hands: fields and numbers stay, what was computed or written goes."""

from __future__ import annotations

from envclone.incidents.bundle import COMPUTED, Incident
from envclone.incidents.handed import handed
from envclone.models import FieldKind, FieldRule, StorePlan


def _incident() -> Incident:
    return Incident.model_validate(
        {
            "incident": "1", "environment": "prod", "masked": "k", "note": "masked already",
            "steps": [
                {
                    "id": "a", "kind": "sql", "store": "main", "sql": "SELECT 1", "key": "id",
                    "expect": {
                        "columns": ["id", "name", "made", "n", "back"],
                        "origins": ["public.t.id", "public.t.name", "public.t.made", "", ""],
                        "rows": [[1, "Zoë", "computed by the server", 0.5, "ëoZ"]],
                    },
                },
                {"id": "b", "kind": "sql", "store": "main", "sql": "SELECT 2", "expect": {"ids": ["eoZ", 7]}},
                {"id": "c", "kind": "vector", "store": "kb", "collection": "c", "vector": [1.0],
                 "expect": {"columns": ["payload"], "ids": ["p"], "scores": [1.0], "rows": [[{"name": "Ann"}]]}},
            ],
            "calls": [{"id": "x", "kind": "llm", "name": "gpt", "output": "ëoZ", "seconds": 2.0}],
            "origin": {"dialect": "otlp", "about": {"k": "ëoZ"}},
        }
    )  # fmt: skip


def _plan() -> StorePlan:
    rules = {
        "public.t.id": FieldRule("public.t.id", FieldKind.OTHER, "keep"),
        "public.t.name": FieldRule("public.t.name", FieldKind.TEXT, "person"),
        "public.t.made": FieldRule("public.t.made", FieldKind.TEXT, "text", derived=True),
    }
    return StorePlan("main", rules)


def test_fields_stay_and_what_was_computed_goes() -> None:
    given = handed(_incident(), {"main": _plan()})
    first, second, third = (step.expect for step in given.steps)
    assert first is not None and second is not None and third is not None
    assert first.rows == ((1, "Zoë", COMPUTED, 0.5, COMPUTED),)
    assert second.ids == (7,)
    assert third.ids == ("p",) and third.rows == (({"name": "Ann"},),)
    assert given.calls[0].output == COMPUTED and given.calls[0].seconds == 2.0 and given.calls[0].name == "gpt"
    assert "ëoZ" not in given.model_dump_json() and given.signature is None


def test_a_store_without_a_plan_shows_no_field() -> None:
    expect = handed(_incident(), {}).steps[0].expect
    assert expect is not None and expect.rows == ((1, COMPUTED, COMPUTED, 0.5, COMPUTED),)
