"""Values as they were when a call was made, in plain JSON: what the application changes afterwards is not recorded.

Vectors are kept bit for bit: numbers of 32 bits (`$f32`) or 64 (`$f64`) in base64, little-endian. Other values that
JSON does not have are marked likewise (`$bytes`, `$decimal`, `$text`).
"""

from __future__ import annotations

import base64
import sys
from array import array
from collections.abc import Mapping
from typing import Any

__all__ = ["doubles", "frozen", "singles"]

_DEEPEST = 64
_LONG = 16
"""Numbers from which on a list is packed."""


def frozen(value: Any, single: bool = False, depth: int = 0) -> Any:
    """A copy in plain JSON. `single`: lists of numbers are vectors of a store, which has 32 bits for each."""
    if value is None or isinstance(value, str | bool | int):
        return str.__str__(value) if isinstance(value, str) else value
    if isinstance(value, float):
        return float(value)
    if depth > _DEEPEST:
        return {"$text": "(nested too deep to be recorded)"}
    if isinstance(value, list | tuple):
        if len(value) >= _LONG and type(value[0]) is float:
            try:
                return singles(value) if single else doubles(value)
            except (TypeError, OverflowError):
                pass
        return [frozen(one, single, depth + 1) for one in value]
    if isinstance(value, Mapping):
        return {str(key): frozen(one, single, depth + 1) for key, one in value.items()}
    if isinstance(value, bytes | bytearray | memoryview):
        return {"$bytes": base64.b64encode(value).decode()}
    if hasattr(value, "__array_interface__") or hasattr(value, "__array__"):
        return _array(value, single, depth)
    if hasattr(value, "model_dump"):
        return frozen(value.model_dump(mode="json", exclude_none=True), single, depth + 1)
    if hasattr(value, "to_list") and type(value).__module__.startswith("pgvector"):
        return frozen(value.to_list(), True, depth + 1)
    if type(value).__module__.startswith("psycopg.types") and hasattr(value, "obj"):
        return {"$json": frozen(value.obj, False, depth + 1)}
    if type(value).__name__ == "Decimal":
        return {"$decimal": str(value)}
    if hasattr(value, "isoformat"):
        return {"$text": value.isoformat()}
    if isinstance(value, set | frozenset):
        return [frozen(one, single, depth + 1) for one in value]
    if hasattr(value, "value") and type(value).__mro__[-2].__name__ == "Enum":
        return frozen(value.value, single, depth + 1)
    try:
        return {"$text": str(value)}
    except Exception:  # noqa: BLE001 - a value of the application's may not know its own text
        return {"$text": f"({type(value).__name__})"}


def singles(values: Any) -> dict[str, str]:
    """Numbers in 32 bits each."""
    return {"$f32": _packed(array("f", values))}


def doubles(values: Any) -> dict[str, str]:
    """Numbers in 64 bits each. Raises TypeError when one of them is no float."""
    if set(map(type, values)) != {float}:
        raise TypeError
    return {"$f64": _packed(array("d", values))}


def _packed(numbers: array[float]) -> str:
    if sys.byteorder == "big":
        numbers.byteswap()
    return base64.b64encode(numbers.tobytes()).decode()


def _array(value: Any, single: bool, depth: int) -> Any:
    """An array of numpy's, or a number of one."""
    kind = str(getattr(value, "dtype", ""))
    if getattr(value, "ndim", None) == 0 or not hasattr(value, "tolist"):
        return frozen(value.item() if hasattr(value, "item") else str(value), single, depth + 1)
    if getattr(value, "ndim", 0) == 1 and kind in ("float32", "float64", "float16"):
        if single or kind != "float64":
            return {"$f32": base64.b64encode(value.astype("<f4").tobytes()).decode()}
        return {"$f64": base64.b64encode(value.astype("<f8").tobytes()).decode()}
    return frozen(value.tolist(), single, depth + 1)
