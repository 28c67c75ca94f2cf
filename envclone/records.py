"""Values to plain JSON and back, for what envclone keeps on disk; what comes back is checked against its type."""

from __future__ import annotations

import functools
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from envclone.errors import UnsafeError

__all__ = ["dump", "load"]

T = TypeVar("T")


@functools.cache
def _adapter(cls: Any) -> TypeAdapter[Any]:
    return TypeAdapter(cls)


def dump(value: Any) -> Any:
    """A value of `models` as plain JSON values; a Secret is written out, so the file must be private."""
    return _adapter(cast(Any, type(value))).dump_python(value, mode="json")


def load(cls: type[T], data: Any, *, what: str) -> T:
    """A value of `models` from plain JSON values; raises UnsafeError when `what` is not of that shape."""
    try:
        return cast(T, _adapter(cast(Any, cls)).validate_python(data))
    except ValidationError as exc:
        where = ".".join(str(part) for part in exc.errors()[0]["loc"])
        raise UnsafeError(
            f"{what} is damaged: {where or 'the whole'}: {exc.errors()[0]['msg'].lower()}",
            hint="restore it, or remove what it describes with `envclone rm` or `envclone gc`",
        ) from None
