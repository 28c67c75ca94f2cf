"""Filters and search parameters in Qdrant's JSON form, made into the embedded engine's objects.

The form is that of the HTTP API (`Filter`, `Condition`, `Match`, `Range`, `SearchParams`). What the engine cannot do is
an error that names it: a filter that is only half applied would give another answer than production. So is what a
server refuses, such as a boolean among the values of `any`: the binding would take it for the number 1.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from envclone.errors import ConfigError

__all__ = ["condition_of", "filter_of", "geo_point", "params_of", "point_id"]

_CLAUSES = ("must", "should", "must_not", "min_should")
_LARGEST = 1 << 63


def filter_of(data: Mapping[str, Any] | None) -> Any:
    """A `qdrant_edge.Filter`, or None without one. Raises ConfigError for what is not known."""
    if not data:
        return None
    import qdrant_edge as q

    _known(data, _CLAUSES, "filter")
    at_least = data.get("min_should")
    if at_least is not None:
        _known(at_least, ("conditions", "min_count"), "min_should")
        count = _whole(_part(at_least, "min_count", "min_should"), "min_should.min_count")
        at_least = q.MinShould(_conditions(_part(at_least, "conditions", "min_should")) or [], count)
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

    _known(data, ("hnsw_ef", "exact", "quantization", "indexed_only", "acorn", "idf"), "params")
    quantization, acorn, idf, ef = (data.get(name) for name in ("quantization", "acorn", "idf", "hnsw_ef"))
    if quantization is not None:
        _known(quantization, ("ignore", "rescore", "oversampling"), "params.quantization")
        quantization = q.QuantizationSearchParams(
            ignore=_flag(quantization, "ignore", "params.quantization"),
            rescore=_flag(quantization, "rescore", "params.quantization", None),
            oversampling=_number(quantization.get("oversampling"), "params.quantization.oversampling"),
        )
    if acorn is not None:
        _known(acorn, ("enable", "max_selectivity"), "params.acorn")
        acorn = q.AcornSearchParams(
            enable=_flag(acorn, "enable", "params.acorn"),
            max_selectivity=_number(acorn.get("max_selectivity"), "params.acorn.max_selectivity"),
        )
    if idf is not None and idf != "global":
        _known(idf, ("corpus",), "params.idf")
        idf = q.IdfParams(filter_of(idf.get("corpus")))
    return q.SearchParams(
        hnsw_ef=None if ef is None else _whole(ef, "params.hnsw_ef"),
        exact=_flag(data, "exact", "params"),
        quantization=quantization,
        indexed_only=_flag(data, "indexed_only", "params"),
        acorn=acorn,
        idf=q.IdfParams() if idf == "global" else idf,
    )


def condition_of(data: Any) -> Any:
    """One condition of a filter. Raises ConfigError for what is not known."""
    import qdrant_edge as q

    if not isinstance(data, Mapping):
        raise ConfigError(f"a filter's condition must be an object, not {_kind(data)}")
    if "key" in data:
        return _field(data)
    if not data or set(data) & set(_CLAUSES):
        return filter_of(data) or q.Filter()
    if len(data) == 1:
        kind, value = next(iter(data.items()))
        if kind in ("is_empty", "is_null"):
            _known(value, ("key",), kind)
            made = q.IsEmptyCondition if kind == "is_empty" else q.IsNullCondition
            return _made(made, _text(_part(value, "key", kind), f"{kind}.key"))
        if kind == "has_id":
            return q.HasIdCondition({point_id(item) for item in _list(value, "has_id")})
        if kind == "has_vector":
            return q.HasVectorCondition(_text(value, "has_vector"))
        if kind == "slice":
            _known(value, ("total", "index"), "slice")
            total, index = (_whole(_part(value, name, "slice"), f"slice.{name}") for name in ("total", "index"))
            return _made(q.SliceCondition, total, index)  # type: ignore[attr-defined]
        if kind == "nested":
            _known(value, ("key", "filter"), "nested")
            below = filter_of(_part(value, "filter", "nested")) or q.Filter()
            return _made(q.NestedCondition, _text(_part(value, "key", "nested"), "nested.key"), below)
    raise ConfigError(f"a filter's condition with {', '.join(map(repr, data)) or 'nothing'} is not known")


def point_id(value: Any) -> Any:
    """An id as the engine takes it. Raises ConfigError for what cannot be one."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    try:
        return uuid.UUID(str(value))
    except ValueError:
        raise ConfigError(f"a point's id is a whole number from 0 or a UUID, not {_kind(value)}") from None


def _conditions(data: Any) -> list[Any] | None:
    if data is None:
        return None
    return [condition_of(item) for item in (data if isinstance(data, list | tuple) else [data])]


def _field(data: Mapping[str, Any]) -> Any:
    import qdrant_edge as q

    makers: dict[str, Callable[[Any], Any]] = {
        "match": _match,
        "range": _range,
        "values_count": lambda value: q.ValuesCount(**_counts(value)),
        "geo_radius": _radius,
        "geo_bounding_box": _box,
        "geo_polygon": _polygon,
        "is_empty": lambda value: _flag({"is_empty": value}, "is_empty", "condition"),
        "is_null": lambda value: _flag({"is_null": value}, "is_null", "condition"),
    }
    key = _text(data["key"], "key")
    _known(data, ("key", *makers), f"condition on {key!r}")
    made = {name: maker(data[name]) for name, maker in makers.items() if data.get(name) is not None}
    return _made(q.FieldCondition, key, **made)


def _match(data: Mapping[str, Any]) -> Any:
    import qdrant_edge as q

    makers: dict[str, Callable[[Any], Any]] = {
        "value": lambda value: q.MatchValue(_exact(value)),
        "text": lambda value: q.MatchText(_text(value, "match.text")),
        "text_any": lambda value: q.MatchTextAny(_text(value, "match.text_any")),
        "phrase": lambda value: q.MatchPhrase(_text(value, "match.phrase")),
        "prefix": lambda value: q.MatchPrefix(_text(value, "match.prefix")),
        "substring": lambda value: q.MatchSubstring(_text(value, "match.substring")),
        "any": lambda values: q.MatchAny(_same(values, "match.any")),
        "except": lambda values: q.MatchExcept(_same(values, "match.except")),
    }
    _known(data, tuple(makers), "match")
    if len(data) != 1:
        raise ConfigError(f"a match must have exactly one of {', '.join(makers)}")
    kind, value = next(iter(data.items()))
    return makers[kind](value)


def _exact(value: Any) -> Any:
    """A value as the engine takes it: its binding reads Python's True as the number 1, and numpy's as a boolean."""
    if isinstance(value, bool):
        import numpy as np

        return np.bool_(value)
    if isinstance(value, str) or (isinstance(value, int) and -_LARGEST <= value < _LARGEST):
        return value
    raise ConfigError(f"match.value is a text, a whole number of 64 bits, or true or false, not {_kind(value)}")


def _same(values: Any, what: str) -> list[Any]:
    """The values of `any` and `except`, which are all of one type."""
    listed = _list(values, what)
    texts = all(isinstance(value, str) for value in listed)
    numbers = all(isinstance(value, int) and not isinstance(value, bool) for value in listed)
    if texts or (numbers and all(-_LARGEST <= value < _LARGEST for value in listed)):
        return listed
    raise ConfigError(
        f"{what} takes texts, or whole numbers of 64 bits, all of one type",
        hint="true and false are matched one by one, with match.value under should",
    )


def _range(data: Mapping[str, Any]) -> Any:
    import qdrant_edge as q

    bounds = _bounds(data, "range")
    if bounds and all(isinstance(value, str) for value in bounds.values()):
        return _made(q.RangeDateTime, **bounds)
    return q.RangeFloat(**{name: _number(value, f"range.{name}") for name, value in bounds.items()})


def _counts(data: Mapping[str, Any]) -> dict[str, int]:
    return {name: _whole(value, f"values_count.{name}") for name, value in _bounds(data, "values_count").items()}


def _bounds(data: Mapping[str, Any], what: str) -> dict[str, Any]:
    _known(data, ("gt", "gte", "lt", "lte"), what)
    return {name: value for name, value in data.items() if value is not None}


def _radius(data: Mapping[str, Any]) -> Any:
    import qdrant_edge as q

    _known(data, ("center", "radius"), "geo_radius")
    radius = _number(_part(data, "radius", "geo_radius"), "geo_radius.radius")
    return _made(q.GeoRadius, geo_point(_part(data, "center", "geo_radius")), radius)


def _box(data: Mapping[str, Any]) -> Any:
    import qdrant_edge as q

    corners = ("top_left", "bottom_right")
    _known(data, corners, "geo_bounding_box")
    return _made(q.GeoBoundingBox, *(geo_point(_part(data, name, "geo_bounding_box")) for name in corners))


def _polygon(data: Mapping[str, Any]) -> Any:
    import qdrant_edge as q

    _known(data, ("exterior", "interiors"), "geo_polygon")
    holes = [_ring(ring) for ring in _list(data.get("interiors") or [], "geo_polygon.interiors")]
    return _made(q.GeoPolygon, _ring(_part(data, "exterior", "geo_polygon")), holes or None)


def geo_point(data: Any) -> Any:
    """A place on Earth. Raises ConfigError for what is none."""
    import qdrant_edge as q

    _known(data, ("lon", "lat"), "a geo point")
    lon, lat = (_number(_part(data, name, "a geo point"), name) for name in ("lon", "lat"))
    return _made(q.GeoPoint, lon=lon, lat=lat)


def _ring(data: Any) -> list[Any]:
    _known(data, ("points",), "a ring of geo_polygon")
    return [geo_point(point) for point in _list(_part(data, "points", "a ring of geo_polygon"), "points")]


def _made(maker: Callable[..., Any], *parts: Any, **named: Any) -> Any:
    """What the engine makes of parts that it reads itself: keys, times, places."""
    try:
        return maker(*parts, **named)
    except Exception as exc:  # noqa: BLE001 - the binding raises bare exceptions
        said = str(exc).splitlines()[0] if str(exc) else type(exc).__name__
        raise ConfigError(f"a filter cannot be read: {said}") from None


def _part(data: Mapping[str, Any], name: str, what: str) -> Any:
    if data.get(name) is None:
        raise ConfigError(f"{what} needs {name!r}")
    return data[name]


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{what} must be a list, not {_kind(value)}")
    return list(value)


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{what} must be a text, not {_kind(value)}")
    return value


def _whole(value: Any, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _LARGEST:
        raise ConfigError(f"{what} must be a whole number from 0, not {_kind(value)}")
    return value


def _number(value: Any, what: str) -> Any:
    if value is not None and (not isinstance(value, int | float) or isinstance(value, bool)):
        raise ConfigError(f"{what} must be a number, not {_kind(value)}")
    return None if value is None else float(value)


def _flag(data: Mapping[str, Any], name: str, what: str, default: bool | None = False) -> Any:
    value = data.get(name)
    if value is not None and not isinstance(value, bool):
        raise ConfigError(f"{what}.{name} must be true or false, not {_kind(value)}")
    return default if value is None else value


def _kind(value: Any) -> str:
    """What a value is, in words; the value itself can be a person's."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return "a text"
    if isinstance(value, int):
        return "a whole number" if -_LARGEST <= value < _LARGEST else "a number of more than 64 bits"
    return "a number" if isinstance(value, float) else "a list" if isinstance(value, list | tuple) else "an object"


def _known(data: Any, names: Sequence[str], what: str) -> None:
    if not isinstance(data, Mapping):
        raise ConfigError(f"{what} must be an object, not {_kind(data)}")
    unknown = sorted(set(data) - set(names))
    if unknown:
        raise ConfigError(
            f"{what} has {', '.join(map(repr, unknown))}, which the embedded engine cannot do",
            hint=f"known are: {', '.join(names)}",
        )
