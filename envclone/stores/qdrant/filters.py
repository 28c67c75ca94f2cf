"""Filters and search parameters in Qdrant's JSON form, made into the embedded engine's objects.

The form is that of the HTTP API (`Filter`, `Condition`, `Match`, `Range`, `SearchParams`). What the engine cannot do is
an error that names it: a filter that is only half applied would give another answer than production.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from envclone.errors import ConfigError

__all__ = ["filter_of", "params_of", "point_id"]

_CLAUSES = ("must", "should", "must_not", "min_should")


def filter_of(data: Mapping[str, Any] | None) -> Any:
    """A `qdrant_edge.Filter`, or None without one. Raises ConfigError for what is not known."""
    if not data:
        return None
    import qdrant_edge as q

    _known(data, _CLAUSES, "filter")
    at_least = data.get("min_should")
    if at_least is not None:
        _known(at_least, ("conditions", "min_count"), "min_should")
        at_least = q.MinShould(_conditions(at_least["conditions"]) or [], int(at_least["min_count"]))
    return q.Filter(
        must=_conditions(data.get("must")),
        should=_conditions(data.get("should")),
        must_not=_conditions(data.get("must_not")),
        min_should=at_least,
    )


def params_of(data: Mapping[str, Any]) -> Any:
    """A `qdrant_edge.SearchParams`, or None without any. Raises ConfigError for what is not known."""
    if not data:
        return None
    import qdrant_edge as q

    _known(data, ("hnsw_ef", "exact", "quantization", "indexed_only", "acorn"), "params")
    quantization, acorn = data.get("quantization"), data.get("acorn")
    if quantization is not None:
        _known(quantization, ("ignore", "rescore", "oversampling"), "params.quantization")
        quantization = q.QuantizationSearchParams(
            ignore=bool(quantization.get("ignore", False)),
            rescore=quantization.get("rescore"),
            oversampling=quantization.get("oversampling"),
        )
    if acorn is not None:
        _known(acorn, ("enable", "max_selectivity"), "params.acorn")
        acorn = q.AcornSearchParams(
            enable=bool(acorn.get("enable", False)), max_selectivity=acorn.get("max_selectivity")
        )
    return q.SearchParams(
        hnsw_ef=data.get("hnsw_ef"),
        exact=bool(data.get("exact") or False),
        quantization=quantization,
        indexed_only=bool(data.get("indexed_only") or False),
        acorn=acorn,
    )


def _conditions(data: Any) -> list[Any] | None:
    if data is None:
        return None
    return [_condition(item) for item in (data if isinstance(data, Sequence) else [data])]


def _condition(data: Any) -> Any:
    import qdrant_edge as q

    if not isinstance(data, Mapping):
        raise ConfigError(f"a filter's condition must be an object, not {data!r}")
    if "key" in data:
        return _field(data)
    if set(data) & set(_CLAUSES):
        return filter_of(data)
    if len(data) == 1:
        kind, value = next(iter(data.items()))
        if kind == "is_empty":
            return q.IsEmptyCondition(value["key"])
        if kind == "is_null":
            return q.IsNullCondition(value["key"])
        if kind == "has_id":
            return q.HasIdCondition({point_id(item) for item in value})
        if kind == "has_vector":
            return q.HasVectorCondition(value)
        if kind == "nested":
            _known(value, ("key", "filter"), "nested")
            return q.NestedCondition(value["key"], filter_of(value["filter"]) or q.Filter())
    raise ConfigError(f"a filter's condition with {', '.join(map(repr, data)) or 'nothing'} is not known")


def _field(data: Mapping[str, Any]) -> Any:
    import qdrant_edge as q

    makers: dict[str, Callable[[Any], Any]] = {
        "match": _match,
        "range": _range,
        "values_count": lambda value: q.ValuesCount(**_bounds(value, "values_count")),
        "geo_radius": lambda value: q.GeoRadius(_geo_point(value["center"]), float(value["radius"])),
        "geo_bounding_box": lambda value: q.GeoBoundingBox(
            _geo_point(value["top_left"]), _geo_point(value["bottom_right"])
        ),
        "geo_polygon": lambda value: q.GeoPolygon(
            _ring(value["exterior"]), [_ring(ring) for ring in value.get("interiors") or []] or None
        ),
        "is_empty": bool,
        "is_null": bool,
    }
    _known(data, ("key", *makers), f"condition on {data['key']!r}")
    made = {name: maker(data[name]) for name, maker in makers.items() if data.get(name) is not None}
    return q.FieldCondition(data["key"], **made)


def _match(data: Mapping[str, Any]) -> Any:
    import qdrant_edge as q

    makers: dict[str, Callable[[Any], Any]] = {
        "value": lambda value: q.MatchValue(_exact(value)),
        "text": q.MatchText,
        "text_any": q.MatchTextAny,
        "phrase": q.MatchPhrase,
        "any": lambda values: q.MatchAny(list(values)),
        "except": lambda values: q.MatchExcept(list(values)),
    }
    _known(data, tuple(makers), "match")
    if len(data) != 1:
        raise ConfigError(f"a match must have exactly one of {', '.join(makers)}")
    kind, value = next(iter(data.items()))
    return makers[kind](value)


def _exact(value: Any) -> Any:
    """A value as the engine takes it: its binding reads Python's True as the number 1, and numpy's as a boolean."""
    if not isinstance(value, bool):
        return value
    import numpy as np

    return np.bool_(value)


def _range(data: Mapping[str, Any]) -> Any:
    import qdrant_edge as q

    bounds = _bounds(data, "range")
    if any(isinstance(value, str) for value in bounds.values()):
        return q.RangeDateTime(**bounds)
    return q.RangeFloat(**bounds)


def _bounds(data: Mapping[str, Any], what: str) -> dict[str, Any]:
    _known(data, ("gt", "gte", "lt", "lte"), what)
    return {name: value for name, value in data.items() if value is not None}


def _geo_point(data: Mapping[str, Any]) -> Any:
    import qdrant_edge as q

    return q.GeoPoint(lon=float(data["lon"]), lat=float(data["lat"]))


def _ring(data: Mapping[str, Any]) -> list[Any]:
    return [_geo_point(point) for point in data["points"]]


def point_id(value: Any) -> Any:
    if isinstance(value, int):
        return value
    return uuid.UUID(str(value))


def _known(data: Any, names: Sequence[str], what: str) -> None:
    if not isinstance(data, Mapping):
        raise ConfigError(f"{what} must be an object, not {data!r}")
    unknown = sorted(set(data) - set(names))
    if unknown:
        raise ConfigError(
            f"{what} has {', '.join(map(repr, unknown))}, which the embedded engine cannot do",
            hint=f"known are: {', '.join(names)}",
        )
