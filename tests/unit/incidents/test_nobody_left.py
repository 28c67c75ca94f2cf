"""Somebody's name in every text of a bundle, wherever its model has one: none is left after masking."""

from __future__ import annotations

import datetime as dt
import random
import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from pydantic import AwareDatetime, BaseModel

from envclone.incidents.bundle import Expected, HttpStep, Incident, SqlStep, VectorStep
from envclone.incidents.mask import mask_incident
from envclone.incidents.queries import Prefetch, Query
from envclone.models import FieldKind, FieldRule, StorePlan
from tests.unit.incidents.fakes import PEOPLE, Fake

AT = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
_OWN = "a name of the stack file or the operator's own, by which a replay finds its place"
_SCHEMA = "a name of the schema, which the branch has as production has it"
_POINT = "the id of a point, which is a number or a UUID and stays in the branch"
STAY: Mapping[tuple[str, str], str] = {
    ("Incident", "incident"): _OWN, ("Incident", "environment"): _OWN, ("Incident", "masked"): "the key's id",
    ("Incident", "signature"): "hexadecimal digits",
    **{(step, name): _OWN for step in ("SqlStep", "VectorStep", "HttpStep") for name in ("id", "store")},
    ("SqlStep", "role"): _SCHEMA, ("SqlStep", "database"): _SCHEMA, ("SqlStep", "score"): _SCHEMA,
    ("SqlStep", "key"): _SCHEMA, ("VectorStep", "collection"): _SCHEMA, ("VectorStep", "using"): _SCHEMA,
    ("VectorStep", "group_by"): _SCHEMA, ("VectorStep", "order_by"): _SCHEMA, ("VectorStep", "with_payload"): _SCHEMA,
    ("VectorStep", "params"): "words of Qdrant's; what names a person there is a filter: test_mask",
    ("Order", "key"): _SCHEMA, ("Query", "order_by"): _SCHEMA, ("Prefetch", "using"): _SCHEMA,
    ("Prefetch", "params"): "as a step's",
    ("Expected", "columns"): _SCHEMA, ("Expected", "origins"): _SCHEMA,
    ("HttpStep", "ignore"): "JSON paths, which the operator writes",
    ("Exclude", "exclude"): _SCHEMA,
    **dict.fromkeys([("Prefetch", "query"), ("Query", "nearest"), ("Recommend", "positive"), ("Recommend", "negative"),
                     ("Context", "positive"), ("Context", "negative"), ("Discover", "target")], _POINT),
}  # fmt: skip
"""Texts that a mask leaves alone, by model and field, and why."""
_KEYS = {("SqlStep", "settings"), ("SqlStep", "local"), ("SqlStep", "parameters"), ("Query", "defaults")}
"""Mappings whose keys are names of the server's, of a statement or of a payload."""


class Planter:
    """Makes a value of any type of the model with a name in each text; of alternatives one by chance."""

    def __init__(self, seed: int) -> None:
        self._drawn = random.Random(seed)

    def name(self) -> str:
        return self._drawn.choice(["Jane", "for Jane Doe", "Max", '{"to": "Max"}', "O'Hara said"])

    def of(self, kind: Any, owner: str, field: str) -> Any:
        origin = get_origin(kind)
        if (owner, field) == ("Prefetch", "prefetch"):
            return []
        if origin is Annotated:
            kind = get_args(kind)[0]
            return self.of(kind, owner, field)
        if origin in (Union, types.UnionType):
            return self.of(self._drawn.choice([one for one in get_args(kind) if one is not type(None)]), owner, field)
        if origin is Literal:
            return get_args(kind)[0]
        if origin in (list, tuple):
            return [self.of(get_args(kind)[0], owner, field) for _ in range(2)]
        if origin is dict:
            key = "a.b" if (owner, field) in _KEYS else self.name()
            return {key: self.of(get_args(kind)[1], owner, field)}
        if kind is Any:
            return {self.name(): [self.name(), {"deep": self.name(), "n": 7}], "said": self.name()}
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return self.model(kind)
        plain: dict[Any, Any] = {str: self.name(), int: 7, float: 0.5, bool: True, dt.datetime: AT, AwareDatetime: AT}
        return plain[kind]

    def model(self, model: type[BaseModel]) -> Any:
        name = model.__name__
        values = {field: self.of(info.annotation, name, field) for field, info in model.model_fields.items()}
        if model is Expected:
            row = (self.name(), {"a": self.name()})
            values |= {
                "columns": ("a", "b"),
                "origins": ("", ""),
                "rows": (row, row),
                "ids": (1, "Jane"),
                "scores": (0.5, 0.5),
            }
        if model in (SqlStep, HttpStep):
            values["domains"] = {}
        if model is SqlStep:
            values["sql"] = f"SELECT '{self.name().replace(chr(39), '')}' -- {self.name()}"
        if model is HttpStep:
            answer = (500, self.of(Any, name, "body"))
            expect = Expected(rows=(answer,), error=self.name())
            values |= {"path": "/people/Jane%20Doe/Max?q=Jane+Doe&Jane=Max", "expect": expect, "store": "api"}
        if model is VectorStep:
            expect = values["expect"].model_copy(update={"ids": (1, 2)})  # of points
            values |= {"params": {"hnsw_ef": 7}, "vector": None, "store": "main", "expect": expect}
        if model is Query:
            one = self._drawn.choice(["order_by", "formula"])
            values |= dict.fromkeys(set(Query.model_fields) - {one, "defaults"})
            values["formula"] = {"key": "name", "match": {"value": self.name()}} if one == "formula" else None
        if model is Prefetch:
            values |= {"params": {}}
        if model is Incident:
            values |= {"masked": None, "signature": None, "version": 2}
        if model in (SqlStep, VectorStep, HttpStep):
            values |= {"call": "Jane"} if self._drawn.random() < 0.5 else {"call": None}
        if name == "Exchange":
            values |= {"url": "https://Jane:Doe@models.example/Jane%20Doe?user=Max", "call": self.name()}
            values |= dict.fromkeys(("encoding", "answer_encoding"), "json")
        return model.model_construct(**values)


def texts(value: Any, place: tuple[str, str]) -> Iterator[tuple[tuple[str, str], str]]:
    """Each text of a bundle, keys too, with the model and the field that it stands in."""
    if isinstance(value, BaseModel):
        for field in type(value).model_fields:
            yield from texts(getattr(value, field), (type(value).__name__, field))
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from texts(key, place)
            yield from texts(one, place)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from texts(one, place)
    elif isinstance(value, str):
        yield place, value


def models(kind: Any, known: dict[type[BaseModel], None] | None = None) -> dict[type[BaseModel], None]:
    """A model and all that it holds."""
    known = {} if known is None else known
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        if kind not in known:
            known[kind] = None
            for info in kind.model_fields.values():
                models(info.annotation, known)
    else:
        for one in get_args(kind):
            models(one, known)
    return known


PLANS = {"main": StorePlan("main", {"public.t.a": FieldRule("public.t.a", FieldKind.TEXT, "person")})}


@pytest.mark.parametrize("computed", [True, False], ids=["own hands", "other hands"])
def test_nobody_is_left_in_any_text(computed: bool) -> None:
    seen: set[tuple[str, str]] = set()
    for seed in range(60):
        planter = Planter(seed)
        raw = planter.model(Incident)
        steps = tuple(_of(planter, kind) for kind in (SqlStep, VectorStep, HttpStep))
        raw = raw.model_copy(update={"steps": steps})
        planted = {place for place, text in texts(raw, ("", "")) if _names(text)}
        seen |= planted
        masked = mask_incident(raw, Fake(), PLANS, computed=computed)
        left = [(place, text) for place, text in texts(masked, ("", "")) if _names(text) and place not in STAY]
        assert not left, (seed, "\n".join(map(str, left)))
    wanted = {
        (model.__name__, field)
        for model in models(Incident)
        for field, info in model.model_fields.items()
        if _has_text(info.annotation)
    }
    missed = wanted - seen - STAY.keys() - _UNREACHED
    assert missed == set(), "a text of the model in which no name was planted"


_UNREACHED = {
    ("SqlStep", "domains"), ("HttpStep", "domains"),  # names of domains, gone from a masked bundle
    ("HttpStep", "method"), ("Exchange", "method"),  # capital letters alone
}  # fmt: skip


def _of(planter: Planter, kind: type[BaseModel]) -> Any:
    step = planter.model(kind)
    return step.model_copy(update={"store": "main"}) if kind is not HttpStep else step


def _names(text: str) -> bool:
    return any(name in text for name in PEOPLE)


def _has_text(kind: Any) -> bool:
    if kind is str or kind is Any:
        return True
    if get_origin(kind) is Literal or (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return False
    return any(_has_text(one) for one in get_args(kind))


def test_what_stays_is_there() -> None:
    known = {(model.__name__, field) for model in models(Incident) for field in model.model_fields}
    assert set(STAY) - known == set()
