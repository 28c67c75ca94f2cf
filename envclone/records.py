"""Values to plain JSON and back, for what envclone keeps on disk; what comes back is checked against its type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from envclone import plain
from envclone.errors import UnsafeError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = ["dump", "load"]

T = TypeVar("T")


def dump(value: Any) -> Any:
    """A value of `models` as plain JSON values; a Secret is written out, so the file must be private."""
    try:
        return plain.dump(value)
    except plain.Unknown:
        return _adapter(type(value)).dump_python(value, mode="json")


def load(cls: type[T], data: Any, *, what: str) -> T:
    """A value of `models` from plain JSON values; raises UnsafeError when `what` is not of that shape."""
    try:
        try:
            read = plain.reader(cast(Any, cls))
        except plain.Unknown:
            return _validated(cls, data)
        return cast(T, read(data))
    except plain.Unfit as exc:
        raise UnsafeError(
            f"{what} is damaged: {exc.where or 'the whole'}: {exc.what}",
            hint="restore it, or remove what it describes with `envclone rm` or `envclone gc`",
        ) from None


def _adapter(cls: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter  # only for plans and reports: a branch's records do without it

    return TypeAdapter(cls)


def _validated(cls: type[T], data: Any) -> T:
    from pydantic import ValidationError

    try:
        return cast(T, _adapter(cls).validate_python(data))
    except ValidationError as exc:
        first = exc.errors()[0]
        raise plain.Unfit(first["msg"].lower(), ".".join(str(part) for part in first["loc"])) from None
