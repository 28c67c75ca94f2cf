"""What can be written: a trace may hold halves of characters, which no file of UTF-8 has."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError

__all__ = ["whole"]

Model = TypeVar("Model", bound=BaseModel)


def whole(model: Model) -> Model:
    """The same, with U+FFFD for each half of a character."""
    try:
        model.model_dump_json()
    except (PydanticSerializationError, UnicodeEncodeError):
        return model.model_copy(update={name: _whole(getattr(model, name)) for name in type(model).model_fields})
    return model


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_whole(one) for one in value]
    if isinstance(value, dict):
        return {_whole(key): _whole(one) for key, one in value.items()}
    return value
