"""Values of traces as what they say: texts that are JSON, and the texts that somebody wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["parsed", "texts"]


def texts(value: Any) -> Iterator[str]:
    """Every text in a value that somebody wrote: of messages their contents, not their roles and kinds."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts(item)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if key not in ("role", "type", "id", "tool_call_id", "finish_reason"):
                yield from texts(item)


def parsed(value: Any) -> Any:
    """A text that is a JSON object or list as what it says."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
