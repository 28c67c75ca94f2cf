"""Numbers that a table or a map of texts holds as text: settings, counts and scores, by their names.

What could be an id or a version stays a text: `7` of a document's id is not the number, and `1.10` is no number at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["counted", "scored", "set_to"]

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,15})(?:\.[0-9]{1,20})?(?:[eE][+-]?[0-9]{1,2})?")
_SETTINGS = frozenset(
    ("temperature", "top_p", "topp", "top_k", "topk", "seed", "max_tokens", "maxtokens", "max_output_tokens", "n",
     "maxoutputtokens", "max_completion_tokens", "num_predict", "num_ctx", "frequency_penalty", "presence_penalty",
     "frequencypenalty", "presencepenalty", "maxretries", "dimensions", "limit", "top_n", "choice.count", "min_p")
)  # fmt: skip
_SCORES = ("score", "distance", "similarity")


def counted(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Counts of tokens: all of them are numbers."""
    return {name: _number(value) for name, value in usage.items()}


def set_to(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a call, those as numbers that can be nothing else."""
    return {name: _number(value) if name.lower() in _SETTINGS else value for name, value in settings.items()}


def scored(documents: Sequence[Any]) -> list[Any]:
    """What was retrieved, its scores as numbers."""
    return [
        {name: _number(value) if name.rpartition(".")[2].lower() in _SCORES else value for name, value in one.items()}
        if isinstance(one, Mapping) and all(isinstance(name, str) for name in one)
        else one
        for one in documents
    ]


def _number(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value
