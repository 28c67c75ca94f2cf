"""Query vectors that another call of the same trace made: the text was embedded, and then searched for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from envclone.incidents.calls import Call
from envclone.incidents.traces.span import loose, parsed

__all__ = ["Embedded", "numbers"]

Vector = list[float]


class Embedded:
    """The vectors that the calls of a trace made, by their text and by where they were made."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self._parents = {call.id: call.parent for call in calls}
        self._by_text: dict[str, Vector | None] = {}
        self._within: dict[str, Vector | None] = {}
        for call in calls:
            if call.kind != "embedding":
                continue
            found = list(_made(call))
            for text, vector in found:
                if isinstance(text, str) and text:
                    _note(self._by_text, text.strip(), vector)
            for above in self._above(call.id):
                for _, vector in found:
                    _note(self._within, above, vector)

    def of(self, call: Call, text: str | None) -> Vector | None:
        """The vector of a search: the one that was made of its text, or the only one that was made within it.

        None when there is none, or when there are several that differ: nothing is guessed.
        """
        if text and (found := self._by_text.get(text.strip())) is not None:
            return found
        return self._within.get(call.id)

    def _above(self, name: str) -> Iterator[str]:
        """The calls that a call is a part of."""
        seen = {name}
        above = self._parents.get(name)
        while above is not None and above not in seen:
            yield above
            seen.add(above)
            above = self._parents.get(above)


def _note(known: dict[str, Vector | None], key: str, vector: Vector) -> None:
    known[key] = vector if known.get(key, vector) == vector else None


def _made(call: Call) -> Iterator[tuple[str | None, Vector]]:
    """The texts that a call embedded with their vectors; a text that the trace does not hold is None."""
    vectors = [_vector(one) for one in ([call.vectors] if numbers(call.vectors) else call.vectors)]
    if not vectors:
        vectors = [_vector(one) for one in loose(call.output).get("data") or ()]
    texts = list(_texts(call.input))
    for number, vector in enumerate(vectors):
        if vector is not None:
            own = loose(call.vectors[number]).get("embedding.text") if number < len(call.vectors) else None
            yield own or (texts[number] if len(texts) == len(vectors) else None), vector


def _vector(one: Any) -> Vector | None:
    if isinstance(one, Mapping):
        one = parsed(one.get("embedding.vector", one.get("embedding")))
    return one if numbers(one) else None


def _texts(value: Any) -> Iterator[str]:
    value = parsed(value)
    if isinstance(value, Mapping):
        value = next((value[key] for key in ("input", "texts", "text", "query", "value") if key in value), None)
    for one in value if isinstance(value, list) else [value]:
        text = parsed(one)
        if isinstance(text, str):
            yield text


def numbers(value: Any) -> bool:
    """Whether a value is a vector of numbers."""
    return isinstance(value, list) and bool(value) and all(
        isinstance(one, int | float) and not isinstance(one, bool) for one in value
    )  # fmt: skip
