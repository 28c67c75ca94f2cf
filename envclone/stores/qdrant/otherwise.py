"""A recorded Qdrant query with other parameters, bounds or conditions, in every stage that it has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from envclone.incidents.bundle import VectorStep
from envclone.incidents.queries import Given, Mmr, Prefetch, Query
from envclone.models import Asked, Condition

__all__ = ["BREADTHS", "meant", "otherwise", "request", "stages", "wanted"]

BREADTHS = (8, 16, 32, 64, 128, 256, 512, 1024, 4096)

_Stage = VectorStep | Prefetch
_Path = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a condition stands: the stage, the clause of its filter, and its number there (None: the whole clause)."""

    stage: _Path
    clause: str
    number: int | None = None


def stages(step: VectorStep) -> Iterator[tuple[_Path, _Stage]]:
    """The query and its prefetches, each with the numbers that lead to it."""
    pending: list[tuple[_Path, _Stage]] = [((), step)]
    while pending:
        path, one = pending.pop(0)
        yield path, one
        pending += [((*path, number), inner) for number, inner in enumerate(one.prefetch)]


def wanted(step: VectorStep) -> list[tuple[Condition, tuple[_Place, ...]]]:
    """Each condition with its places: the same one in two prefetches is one. A bound on the score is one, too."""
    found: dict[str, tuple[Condition, list[_Place]]] = {}
    for path, stage in stages(step):
        for text, about, place in _of_stage(path, stage):
            found.setdefault(text, (Condition(text, about), []))[1].append(place)
    return [(condition, tuple(places)) for condition, places in found.values()]


def otherwise(step: VectorStep, asked: Asked) -> VectorStep:
    """The query as it is asked; nothing of the payload comes back."""
    conditions = wanted(step)
    gone = {place for number in asked.without if number < len(conditions) for place in conditions[number][1]}
    update = _changed((), step, asked, gone) | {"with_payload": False}
    if step.query is not None and step.query.mmr is not None:  # the candidates stay those that it chose among
        many = step.query.mmr.candidates_limit or step.limit + step.offset
        mmr = Mmr(diversity=step.query.mmr.diversity, candidates_limit=many)
        update["query"] = step.query.model_copy(update={"mmr": mmr})
    if asked.using is not None:
        update["using"] = asked.using
    if asked.evenly and step.query is not None and step.query.rrf is not None:
        update["query"] = step.query.model_copy(update={"rrf": step.query.rrf.model_copy(update={"weights": None})})
    if asked.limit is not None:
        limit = max(1, asked.limit // step.group_size) if step.group_by is not None else asked.limit
        update |= {"limit": limit, "offset": 0}
    return step.model_copy(update=update)


def request(step: VectorStep) -> str:
    """The request to Qdrant's API that asks the same."""
    body: dict[str, Any] = {}
    if step.prefetch:
        body["prefetch"] = [_plain(one) for one in step.prefetch]
    query = step.vector if step.vector is not None else step.query
    query = Query(order_by=step.order_by) if query is None and step.order_by is not None else query
    body |= {"query": _given(query)} if query is not None else {}
    body["limit"] = step.limit
    body |= {"using": step.using} if step.using else {}
    body |= {"offset": step.offset} if step.offset else {}
    body |= {"filter": step.filter} if step.filter else {}
    body |= {"params": step.params} if step.params else {}
    body |= {"score_threshold": step.score_threshold} if step.score_threshold is not None else {}
    body |= {"group_by": step.group_by, "group_size": step.group_size} if step.group_by is not None else {}
    way = "query/groups" if step.group_by is not None else "query"
    return f"POST /collections/{step.collection}/points/{way}\n{json.dumps(body, ensure_ascii=False)}"


def meant(text: str) -> int | str | None:
    """A point's id as the API has it; None for a text that cannot be one."""
    if re.fullmatch(r"\d{1,19}", text):
        return int(text)
    return text if re.fullmatch(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}", text) else None


def _of_stage(path: _Path, stage: _Stage) -> Iterator[tuple[str, tuple[str, ...], _Place]]:
    for clause in ("must", "must_not"):
        written = (stage.filter or {}).get(clause)
        for number, one in enumerate(_listed(written)):
            yield f"{clause}: {json.dumps(one, ensure_ascii=False)}", _keys(one), _Place(path, clause, number)
    for clause in ("should", "min_should"):
        if one := (stage.filter or {}).get(clause):
            yield f"{clause}: {json.dumps(one, ensure_ascii=False)}", _keys(one), _Place(path, clause)
    if stage.score_threshold is not None:
        yield f"score_threshold: {stage.score_threshold:g}", (), _Place(path, "score_threshold")


def _changed(path: _Path, stage: _Stage, asked: Asked, gone: set[_Place]) -> dict[str, Any]:
    params = dict(stage.params)
    if asked.exact or asked.only is not None:
        params = {"exact": True}
    elif asked.breadth is not None or asked.unbounded:
        params["hnsw_ef"] = asked.breadth or BREADTHS[-1]
    if asked.unindexed:
        params.pop("indexed_only", None)
    if asked.unquantized:
        params["quantization"] = {"ignore": True}
    kept: dict[str, Any] = {}
    for clause, written in (stage.filter or {}).items():
        if clause in ("must", "must_not"):
            listed = [one for n, one in enumerate(_listed(written)) if _Place(path, clause, n) not in gone]
            kept |= {clause: listed} if listed else {}
        elif _Place(path, clause) not in gone:
            kept[clause] = written
    if asked.only is not None:
        ids = [one for one in map(meant, asked.only) if one is not None]
        kept["must"] = [*_listed(kept.get("must")), {"has_id": ids}]
    if asked.excluded is not None and (left_out := meant(asked.excluded)) is not None:
        kept["must_not"] = [*_listed(kept.get("must_not")), {"has_id": [left_out]}]
    inner = [one.model_copy(update=_changed((*path, number), one, asked, gone))
             for number, one in enumerate(stage.prefetch)]  # fmt: skip
    bounded = stage.score_threshold if _Place(path, "score_threshold") not in gone else None
    return {"params": params, "filter": kept or None, "prefetch": inner, "score_threshold": bounded}


def _keys(condition: Any) -> tuple[str, ...]:
    """The payload keys in a condition."""
    if isinstance(condition, Mapping):
        own = (str(condition["key"]),) if isinstance(condition.get("key"), str) else ()
        return own + tuple(key for value in condition.values() for key in _keys(value))
    return tuple(key for one in condition for key in _keys(one)) if isinstance(condition, list) else ()


def _listed(written: Any) -> list[Any]:
    return written if isinstance(written, list) else [written] if written else []


def _given(query: Query | Given) -> Any:
    return query if isinstance(query, list | int | str) else _plain(query)


def _plain(model: Any) -> Any:
    found = model.model_dump(mode="json", exclude_defaults=True)
    return found if isinstance(model, Prefetch) is False else {"limit": model.limit, **found}
