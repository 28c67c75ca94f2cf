"""A connection's deadlines: a client that drips, sends what nobody reads, or reads nothing holds no connection."""

from __future__ import annotations

import asyncio
import ipaddress
from typing import ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["patient"]

_HEAD_SECONDS = 10.0
"""How long the head of a request may take to come."""
_REST_SECONDS = 2.0
"""How long a connection stays whose request was answered before all of it had come: time to read the answer."""
_READ_SECONDS = 60.0
"""How long a client may take to make place for more of an answer."""


def patient(most: int | None) -> type[H11Protocol]:
    """The protocol with deadlines; `most` is how many connections one address may have, but for this machine."""

    class Bounded(_Patient):
        of_one = most

    return Bounded


class _Patient(H11Protocol):
    """The protocol, with a deadline for each thing that the other end may be slow with."""

    of_one: ClassVar[int | None] = None
    _head: asyncio.TimerHandle | None = None
    _rest: asyncio.TimerHandle | None = None
    _reading: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The clock runs from the first moment on."""
        super().connection_made(transport)
        if self._too_many():
            transport.abort()
            return
        self._watch()

    def data_received(self, data: bytes) -> None:
        """The same for each further request on the connection."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """A request that came along behind another; or the rest of one that nobody reads any more."""
        super().on_response_complete()
        self._stop()
        if self.conn.their_state is h11.SEND_BODY and not self.transport.is_closing():
            self._rest = self.loop.call_later(_REST_SECONDS, self.transport.close)

    def pause_writing(self) -> None:
        """The other end does not read: it may for a while."""
        super().pause_writing()
        if self._reading is None:
            self._reading = self.loop.call_later(_READ_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """It reads again."""
        super().resume_writing()
        _over(self._reading)
        self._reading = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing to wait for."""
        self._stop()
        _over(self._rest)
        _over(self._reading)
        super().connection_lost(exc)

    def _too_many(self) -> bool:
        if self.of_one is None or self.client is None or _of_this_machine(self.client[0]):
            return False
        peer, others = self.client[0], [one for one in self.connections if isinstance(one, _Patient)]
        return sum(one.client is not None and one.client[0] == peer for one in others) > self.of_one

    def _watch(self) -> None:
        if self.conn.their_state is h11.IDLE:
            if self._head is None:
                self._head = self.loop.call_later(_HEAD_SECONDS, self._late)
        else:
            self._stop()

    def _stop(self) -> None:
        _over(self._head)
        self._head = None

    def _late(self) -> None:
        self._head = None
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self.transport.close()


def _over(handle: asyncio.TimerHandle | None) -> None:
    if handle is not None:
        handle.cancel()


def _of_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return True
