"""Masks over an answer that was streamed: a name is cut between two parts of it, so the parts are masked together.

What a model says comes as events, each with a few letters of the answer at the same place of its JSON. Texts that
change from event to event are put together by their place, masked, and cut where they were cut before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any

from envclone.incidents.exchanges import Chunk
from envclone.incidents.maskjson import mask_leaves
from envclone.incidents.masksql import is_plain_data

__all__ = ["mask_stream"]

Text = Callable[[str], str]
_Place = tuple[str | int, ...]
_END = "[DONE]"


def mask_stream(chunks: Sequence[Chunk], text: Text) -> tuple[Chunk, ...]:
    """The parts of a streamed answer, masked as the one text that they are."""
    lines, ends = _lines(chunks)
    events = [_Event(line) for line in lines]
    joined: dict[_Place, list[tuple[_Event, str]]] = {}
    for event in events:
        for place, value in event.texts():
            joined.setdefault(place, []).append((event, value))
    for place, said in joined.items():
        values = [value for _, value in said]
        for (event, _), masked in zip(said, _together(values, text), strict=True):
            event.put(place, masked)
    written: list[list[str]] = [[] for _ in chunks]
    for event, end in zip(events, ends, strict=True):
        written[end].append(event.written(text))
    return tuple(
        chunk.model_copy(update={"data": "".join(parts)}) for chunk, parts in zip(chunks, written, strict=True)
    )


def _together(values: Sequence[str], text: Text) -> list[str]:
    """Texts that follow each other, masked as one; free text keeps its length, so that they are cut as before."""
    apart = [text(value) for value in values]
    if len(set(values)) == 1 or all(is_plain_data(value) for value in values):
        return apart  # a model's name, an id, a time: the same in each event, or no text
    whole = "".join(values)
    masked = text(whole)
    if masked == "".join(apart):
        return apart
    if len(masked) != len(whole):
        return [masked, *[""] * (len(values) - 1)]
    cuts = list(accumulate(map(len, values), initial=0))
    return [masked[begin:end] for begin, end in pairwise(cuts)]


def _lines(chunks: Sequence[Chunk]) -> tuple[list[str], list[int]]:
    """The lines of the whole stream, and for each the number of the chunk in which it ends."""
    whole = "".join(chunk.data for chunk in chunks)
    bounds, reached = [], 0
    for chunk in chunks:
        reached += len(chunk.data)
        bounds.append(reached)
    lines = re.findall(r"[^\n]*\n|[^\n]+", whole)
    ends, at, number = [], 0, 0
    for line in lines:
        at += len(line)
        while bounds[number] < at:
            number += 1
        ends.append(number)
    return lines, ends


class _Event:
    """A line of a stream: JSON behind `data:` or alone, or a text."""

    def __init__(self, line: str) -> None:
        bare = line.rstrip("\r\n")
        self._end = line[len(bare) :]
        self._head = ""
        for head in ("data: ", "data:"):
            if bare.startswith(head):
                self._head, bare = head, bare[len(head) :]
                break
        self._raw = bare
        self._document: Any = None
        if bare[:1] in ("{", "["):
            try:
                self._document = json.loads(bare)
            except (ValueError, RecursionError):
                self._document = None
        self._put: dict[_Place, str] = {}

    def texts(self) -> Iterator[tuple[_Place, str]]:
        """Its texts by their place."""
        if self._document is not None:
            yield from _texts(self._document, ())
        elif self._raw and self._raw != _END and (self._head or ":" not in self._raw[:20]):
            yield (), self._raw

    def put(self, place: _Place, value: str) -> None:
        """Have another text at a place."""
        self._put[place] = value

    def written(self, text: Text) -> str:
        """The line with its masked texts."""
        if self._document is not None:
            masked = _with(self._document, (), self._put, text)
            compact = ": " not in self._raw and ", " not in self._raw
            body = json.dumps(masked, ensure_ascii=False, separators=(",", ":") if compact else None)
        else:
            body = self._put[()] if () in self._put else self._raw if self._raw == _END else text(self._raw)
        return self._head + body.replace("\n", " ").replace("\r", " ") + self._end


def _texts(value: Any, place: _Place) -> Iterator[tuple[_Place, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _texts(one, (*place, key))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _texts(one, (*place, number))


def _with(value: Any, place: _Place, put: dict[_Place, str], text: Text) -> Any:
    if isinstance(value, str):
        return put.get(place, value)
    if isinstance(value, dict):
        return {mask_leaves(key, text): _with(one, (*place, key), put, text) for key, one in value.items()}
    if isinstance(value, list):
        return [_with(one, (*place, number), put, text) for number, one in enumerate(value)]
    return value
