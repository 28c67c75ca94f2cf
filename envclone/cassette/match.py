"""Finding the recorded exchange that a request is, or the one that comes nearest and what is different in it."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from envclone.cassette.normal import Asked, normal, of_body
from envclone.incidents.exchanges import Exchange

__all__ = ["Change", "Found", "Tape"]

_WORDS = 4096
_SHOWN = 20
_WIDTH = 200
_NEAR = 256
"""How many of the recorded exchanges are looked at closely for the nearest."""
Outcome = Literal["played", "again", "surplus", "unmatched"]


@dataclass(frozen=True, slots=True)
class Change:
    """One place of a request that differs: as it was recorded, and as it is asked now; None where it is not there."""

    place: str
    recorded: Any
    asked: Any


@dataclass(frozen=True, slots=True)
class Found:
    """What the cassette has for a request.

    `played` and `again` name the exchange that answers; `surplus` one that was asked more often than it was recorded;
    `unmatched` the nearest, with the differences.
    """

    outcome: Outcome
    exchange: Exchange | None
    changes: tuple[Change, ...] = ()
    more: int = 0
    """how many differences are not shown"""


@dataclass
class Tape:
    """The exchanges of an incident, each played once and in order; safe to be asked from several threads."""

    exchanges: Sequence[Exchange]
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._asked = [of_exchange(one) for one in self.exchanges]
        self._by_digest: dict[bytes, list[int]] = {}
        for index, one in enumerate(self._asked):
            self._by_digest.setdefault(one.digest, []).append(index)
        self._played: set[int] = set()

    @property
    def unplayed(self) -> tuple[Exchange, ...]:
        """Those that nobody asked for."""
        with self._lock:
            return tuple(one for index, one in enumerate(self.exchanges) if index not in self._played)

    def find(self, asked: Asked) -> Found:
        """The next recorded exchange of the same request, which counts as played.

        One asked more often than it was recorded is answered as the last time when its answer depends on its input
        alone (an embedding, a ranking, a GET); a model's answer does not, and is `surplus`.
        """
        with self._lock:
            same = [index for index in self._by_digest.get(asked.digest, ()) if self._host_fits(index, asked)]
            left = next((index for index in same if index not in self._played), None)
            if left is not None:
                self._played.add(left)
                return Found("played", self.exchanges[left])
        if same:
            last = self.exchanges[same[-1]]
            return Found("again" if asked.operation.pure else "surplus", last)
        nearest = self._nearest(asked)
        if nearest is None:
            return Found("unmatched", None)
        changes = changes_between(self._asked[nearest], asked)
        return Found("unmatched", self.exchanges[nearest], tuple(changes[:_SHOWN]), max(0, len(changes) - _SHOWN))

    def _host_fits(self, index: int, asked: Asked) -> bool:
        """Whose request it is counts where no provider's operation tells it."""
        return asked.operation.known or asked.host is None or asked.host == self._asked[index].host

    def _nearest(self, asked: Asked) -> int | None:
        """The recorded exchange with the fewest differences: of the same operation where there is one."""
        same = [index for index, one in enumerate(self._asked) if one.operation.name == asked.operation.name]
        pool = same or [index for index, one in enumerate(self._asked) if one.operation.known == asked.operation.known]
        pool = pool or list(range(len(self._asked)))
        items = set(asked.leaves.items())
        rough = sorted(pool, key=lambda index: len(items.symmetric_difference(self._asked[index].leaves.items())))
        return min(
            rough[:_NEAR], key=lambda index: (_distance(self._asked[index], asked), index in self._played), default=None
        )


def of_exchange(one: Exchange) -> Asked:
    """A recorded exchange's request in its normal form."""
    body = one.body
    if one.encoding == "base64" and isinstance(body, str):
        body = f"base64:{body}"
    elif one.encoding == "text" and isinstance(body, str):
        body = of_body(body.encode("utf-8", "surrogatepass"), one.headers)
    try:
        return normal(one.method, one.url, one.headers, body)
    except ValueError:  # an address that is none: nobody can ask for it
        return normal(one.method, "http://unreadable/", one.headers, body)


def changes_between(recorded: Asked, asked: Asked) -> list[Change]:
    """Every place that differs, texts cut around the first character that does."""
    found = []
    if not asked.operation.known and None is not asked.host != recorded.host:
        found.append(Change("host", recorded.host, asked.host))
    if asked.operation.known and asked.operation.name != recorded.operation.name:
        found.append(Change("path", recorded.path, asked.path))
    for place in dict.fromkeys((*recorded.leaves, *asked.leaves)):
        before, now = recorded.leaves.get(place), asked.leaves.get(place)
        if before != now or type(before) is not type(now):
            found.append(Change(place, *_cut(before, now)))
    return found


def _distance(recorded: Asked, asked: Asked) -> float:
    """How many leaves differ; a text that shares words with the other's counts for less."""
    total = 0.0
    for place in recorded.leaves.keys() | asked.leaves.keys():
        before, now = recorded.leaves.get(place), asked.leaves.get(place)
        if before == now:
            continue
        total += _unlike(before, now) if isinstance(before, str) and isinstance(now, str) else 1.0
    return total


def _unlike(left: str, right: str) -> float:
    """How far two texts are from each other, 0 to 1, by the words that they share."""
    a, b = (Counter(re.findall(r"\w{1,40}", text[: _WORDS * 8])[:_WORDS]) for text in (left, right))
    count = max(a.total(), b.total())
    return 1.0 - (a & b).total() / count * 0.9 if count else 1.0


def _cut(left: Any, right: Any) -> tuple[Any, Any]:
    """Two values around the first character in which they differ."""
    if not (isinstance(left, str) and isinstance(right, str)):
        return _short(left), _short(right)
    shorter = min(len(left), len(right))
    common = next((i for i in range(shorter) if left[i] != right[i]), shorter)
    start = max(0, common - 60) if max(len(left), len(right)) > _WIDTH else 0
    return _part(left, start), _part(right, start)


def _short(value: Any) -> Any:
    return _part(value, 0) if isinstance(value, str) else value


def _part(text: str, start: int) -> str:
    end = start + _WIDTH
    return ("…" if start else "") + text[start:end] + ("…" if end < len(text) else "")


def plain(found: Found) -> Mapping[str, Any]:
    """What was found as JSON values, for the application and for the report."""
    return {
        "outcome": found.outcome,
        "exchange": found.exchange.id if found.exchange else None,
        "changes": [{"place": one.place, "recorded": one.recorded, "asked": one.asked} for one in found.changes],
        "more": found.more,
    }
