"""What every part of the stack file's schema shares: frozen, closed to unknown keys, an empty entry is the default."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, StringConstraints, model_validator
from pydantic.json_schema import WithJsonSchema

from envclone.config import durations
from envclone.cow.sizes import parse_size
from envclone.errors import UsageError

__all__ = [
    "EVERY",
    "MAX_AGE",
    "NAME",
    "WINDOW",
    "DomainKind",
    "Driver",
    "Duration",
    "Method",
    "Model",
    "Name",
    "NobodyKind",
    "Preset",
    "Size",
    "Text",
    "bytes_of",
]

NAME = r"^[a-z0-9][a-z0-9-]{0,40}$"
"""Names of projects, environments, stores and services: they become directories, hosts and parts of other names."""

EVERY, WINDOW = dt.timedelta(hours=1), dt.timedelta(hours=12)
"""Of a track: how often a base backup is taken, and how far back moments can be had."""
MAX_AGE = dt.timedelta(hours=24)
"""How long what is raw stays in quarantine."""

Driver = Literal["auto", "reflink", "btrfs", "copy"]
Method = Literal["physical", "directory", "logical", "provider", "snapshot", "volume"]
Preset = Literal[
    "django",
    "langchain",
    "langfuse",
    "langgraph",
    "laravel",
    "litellm",
    "llamaindex",
    "mem0",
    "openwebui",
    "payments",
    "rails",
]
"""The sets of rules that are shipped."""

NobodyKind = Literal[
    "person",
    "email",
    "phone",
    "address",
    "company",
    "username",
    "iban",
    "card",
    "national_id",
    "ip",
    "mac",
    "uuid",
    "date",
    "url",
    "secret",
    "key",
]
"""The kinds whose values can be nobody's."""

DomainKind = Literal[
    "person",
    "email",
    "phone",
    "address",
    "company",
    "username",
    "iban",
    "card",
    "national_id",
    "ip",
    "mac",
    "url",
    "uuid",
    "date",
    "integer",
    "key",
    "number",
    "text",
    "json",
    "secret",
    "setting",
    "bytes",
    "constant",
    "redact",
    "null",
    "keep",
]

Name = Annotated[str, StringConstraints(pattern=NAME)]
Text = Annotated[
    str, WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "boolean"}, {"type": "integer"}]})
]
"""Text where the reader takes numbers and booleans as they are written."""


class Model(BaseModel):
    """A part of the stack file."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_default(cls, data: Any) -> Any:
        """A key with nothing behind it (all its entries commented out, say) means its default."""
        if not isinstance(data, dict):
            return data
        fields = cls.model_fields
        return {
            key: value
            for key, value in data.items()
            if value is not None or key not in fields or fields[key].is_required()
        }


def _duration(value: object) -> dt.timedelta:
    if isinstance(value, dt.timedelta):
        if value <= dt.timedelta(0):
            raise ValueError("must be longer than zero")
        return value
    return durations.parse_duration(value if isinstance(value, str) else f"{value}")


Duration = Annotated[
    dt.timedelta,
    BeforeValidator(_duration),
    PlainSerializer(durations.text, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": durations.PATTERN}),
]
"""A length of time, written like `8h`."""


def bytes_of(value: Any) -> int:
    """A number of bytes from a number or a size such as `512m`, `2GiB`; units are powers of 1024, as Docker has them.

    Raises ValueError for anything else.
    """
    if isinstance(value, bool):
        raise ValueError("must be a size such as 2g")
    try:
        return value if isinstance(value, int) else parse_size(str(value))
    except UsageError as exc:
        raise ValueError("must be a size such as 512m, 2g or 2GiB") from exc


Size = Annotated[
    int,
    BeforeValidator(bytes_of),
    Field(ge=0),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "integer"}]}),
]
"""A number of bytes, written like `2GiB`."""
