"""Formulas over scores and payloads in Qdrant's JSON form, made into the embedded engine's expressions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from envclone.errors import ConfigError
from envclone.stores.qdrant.filters import condition_of, geo_point

__all__ = ["formula_of"]

_DECAYS = {"lin_decay": "Lin", "exp_decay": "Exp", "gauss_decay": "Gauss"}
_OF_MANY = {"mult": "Mult", "sum": "Sum", "max": "Max", "min": "Min"}
_OF_ONE = {
    "neg": "Neg",
    "abs": "Abs",
    "sqrt": "Sqrt",
    "exp": "Exp",
    "log10": "Log10",
    "ln": "Ln",
    "acosh": "Acosh",
}


def formula_of(formula: Any, defaults: Mapping[str, Any] | None) -> Any:
    """A `qdrant_edge.Formula`. Raises ConfigError for what is not known."""
    import qdrant_edge as q

    return _made(q.Formula, _expression(formula), dict(defaults or {}))


def _expression(data: Any) -> Any:
    import qdrant_edge as q

    make = q.Expression
    if isinstance(data, int | float) and not isinstance(data, bool):
        return make.Constant(float(data))
    if isinstance(data, str):
        return _made(make.Variable, data)
    if not isinstance(data, Mapping):
        raise ConfigError("a formula is made of numbers, names of payload keys, and objects")
    kind, value = next(iter(data.items())) if len(data) == 1 else ("", None)
    if kind in _OF_MANY:
        if not isinstance(value, list):
            raise ConfigError(f"a formula's {kind} takes a list")
        return getattr(make, _OF_MANY[kind])([_expression(one) for one in value])
    if kind in _OF_ONE:
        return getattr(make, _OF_ONE[kind])(_expression(value))
    if kind in _DECAYS:
        parts = _parts(kind, value, ("x",), ("target", "scale", "midpoint"))
        target = None if parts.get("target") is None else _expression(parts["target"])
        decay = getattr(q.DecayKind, _DECAYS[kind])
        return _made(make.Decay, decay, _expression(parts["x"]), target, parts.get("midpoint"), parts.get("scale"))
    if kind == "div":
        parts = _parts(kind, value, ("left", "right"), ("by_zero_default",))
        return _made(make.Div, _expression(parts["left"]), _expression(parts["right"]), parts.get("by_zero_default"))
    if kind == "pow":
        parts = _parts(kind, value, ("base", "exponent"), ())
        return make.Pow(_expression(parts["base"]), _expression(parts["exponent"]))
    if kind == "datetime":
        return _made(make.Datetime, value)
    if kind == "datetime_key":
        return _made(make.DatetimeKey, value)
    if kind == "geo_distance":
        parts = _parts(kind, value, ("origin", "to"), ())
        return _made(make.GeoDistance, geo_point(parts["origin"]), parts["to"])
    return make.Condition(condition_of(data))


def _parts(kind: str, value: Any, needed: tuple[str, ...], also: tuple[str, ...]) -> Mapping[str, Any]:
    if (
        not isinstance(value, Mapping)
        or set(value) - {*needed, *also}
        or any(value.get(name) is None for name in needed)
    ):
        may = f", and may have {', '.join(also)}" if also else ""
        raise ConfigError(f"a formula's {kind} takes {' and '.join(needed)}{may}")
    return value


def _made(maker: Callable[..., Any], *parts: Any) -> Any:
    """What the engine makes of parts that it reads itself."""
    try:
        return maker(*parts)
    except Exception as exc:  # noqa: BLE001 - the binding raises bare exceptions
        said = str(exc).splitlines()[0] if str(exc) else type(exc).__name__
        raise ConfigError(f"a formula cannot be read: {said}") from None
