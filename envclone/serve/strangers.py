"""How often an address may call without being known: the limit of what has no token that could be counted."""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from collections.abc import Callable

from starlette.requests import Request

from envclone.serve.refusals import TooMany

__all__ = ["Strangers", "address_of", "counted_in", "let_in"]

_MOST = 10_000
_OTHERS = "others"
"""The row of addresses for which the table has no place any more."""
_MARK = "stranger"


class Strangers:
    """What each address may still ask, in a table that does not grow; used from many threads.

    An address has a minute's calls at most, and gets them back over a minute. A full table forgets those that have all
    of theirs back. When there is none, who is new shares one row: nobody pushes a row out, their own neither.
    """

    def __init__(self, per_minute: int, *, most: int = _MOST, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = float(per_minute)
        self._most = most
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}
        self._swept = -math.inf
        self._told: set[str] = set()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self._left)

    def take(self, address: str) -> str | None:
        """Count a call of an address; which row it was counted in, None when there is nothing left of it."""
        now = self._clock()
        with self._lock:
            row = self._row(address, now)
            left = self._now(row, now)
            if left < 1:
                return None
            self._left[row] = (left - 1, now)
            self._told.discard(row)
            return row

    def give_back(self, row: str) -> None:
        """The call was of somebody who is known, and is counted as theirs."""
        now = self._clock()
        with self._lock:
            self._left[row] = (min(self._now(row, now) + 1, self._per_minute), now)

    def refusal(self, address: str) -> tuple[TooMany, bool]:
        """What an address is told that has nothing left, and whether it is the first time since it had."""
        now = self._clock()
        with self._lock:
            row = self._row(address, now)
            seconds = math.ceil((1 - min(self._now(row, now), 1.0)) * 60 / self._per_minute)
            first = row not in self._told
            self._told.add(row)
        said = f"more than {int(self._per_minute)} calls in a minute came from this address without a valid token"
        return TooMany(said, retry_after=max(1, seconds), hint=f"wait {max(1, seconds)} s, or call with a token"), first

    def _now(self, row: str, now: float) -> float:
        left, at = self._left.get(row, (self._per_minute, now))
        return min(self._per_minute, left + max(0.0, now - at) * self._per_minute / 60)

    def _row(self, address: str, now: float) -> str:
        if address in self._left or len(self._left) < self._most:
            return address
        if now - self._swept >= 1.0:  # a look through all of them is not free either
            self._swept = now
            for row in [row for row in self._left if self._now(row, now) >= self._per_minute]:
                del self._left[row]
                self._told.discard(row)
        return address if len(self._left) < self._most else _OTHERS


def address_of(request: Request, *, behind_proxy: bool) -> str:
    """Where a request comes from, as it is counted: of IPv6 the network that one customer has (/64).

    Behind a proxy it is the last of `X-Forwarded-For`, which the proxy itself wrote; what stands before came from
    outside. Where the proxy writes none, all are the proxy.
    """
    peer = request.client.host if request.client is not None else ""
    said = ",".join(request.headers.getlist("x-forwarded-for")).rpartition(",")[2] if behind_proxy else ""
    return _counted(said) or _counted(peer) or "unknown"


def _counted(text: str) -> str:
    bare = text.strip().strip('"')
    if bare.startswith("["):  # [2001:db8::1]:443
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:  # 192.0.2.1:443
        bare = bare.partition(":")[0]
    try:
        one = ipaddress.ip_address(bare.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(one, ipaddress.IPv6Address):
        if one.ipv4_mapped is None:
            return ipaddress.ip_network((one, 64), strict=False).network_address.exploded.replace(":", "-")
        one = one.ipv4_mapped
    return str(one)


def counted_in(request: Request, strangers: Strangers, row: str) -> None:
    """Remember with a request in which row it was counted."""
    request.scope.setdefault("envclone", {})[_MARK] = (strangers, row)


def let_in(request: Request) -> None:
    """Who asks is known: the request is no stranger's, and is not counted as one."""
    found = request.scope.get("envclone", {}).pop(_MARK, None)
    if found is not None:
        strangers, row = found
        strangers.give_back(row)
