"""Downloads a snapshot into an unnamed file, goes on where it was cut, and holds it to the server's checksum."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import time
from collections.abc import Callable
from typing import Any

from envclone.errors import UnsafeError
from envclone.stores.qdrant.live.client import Client, Failed

__all__ = ["download"]

_STEP = 2**20
_ATTEMPTS = 6
"""Attempts in a row that bring nothing, before it is given up; whatever brings a byte begins a new row."""
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


class _Cut(Exception):
    """The connection ended before the file did; what came is kept."""


class _Received:
    """What has come so far."""

    def __init__(self, descriptor: int, size: int) -> None:
        self.descriptor = descriptor
        self.size = size
        self.count = 0
        self.sum = hashlib.sha256()

    def restart(self) -> None:
        os.ftruncate(self.descriptor, 0)
        self.count = 0
        self.sum = hashlib.sha256()

    def add(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.pwrite(self.descriptor, view, self.count + len(data) - len(view)) :]
        self.count += len(data)
        self.sum.update(data)


def download(
    client: Client, where: str, descriptor: int, *, size: int, checksum: str, told: Callable[[int], None]
) -> None:
    """Write the file at `where` to an open one; `told` is given the bytes as they come.

    Raises Failed when the server stops answering, UnsafeError when the bytes are not those that it promised.
    """
    received = _Received(descriptor, size)
    for last in (False, True):
        _whole(client, where, received, told)
        if received.sum.hexdigest() == checksum.lower():
            return
        if last:
            break
        received.restart()
    raise UnsafeError(
        f"the snapshot from {client.shown} does not have the checksum that the server gave for it, twice",
        hint="something between here and the server changes what passes, or its disk does: look at both",
    )


def _whole(client: Client, where: str, received: _Received, told: Callable[[int], None]) -> None:
    """Every byte, over as many connections as it takes."""
    idle = 0
    while received.count < received.size:
        before = received.count
        why: Exception | None = None
        try:
            _receive(client, where, received, told)
        except _Cut as exc:
            why = exc
        except Failed as exc:
            if 300 <= exc.status < 500 and exc.status not in (408, 416, 429):  # asked again it would say the same
                raise
            why = exc
        if received.count > before:
            idle = 0
            continue
        idle += 1
        if idle >= _ATTEMPTS:
            raise Failed(
                f"the Qdrant server at {client.shown}: the download broke off after {received.count} of "
                f"{received.size} bytes, {idle} times without another one",
                hint="look at its log and at what stands between; the next run begins again",
            ) from why
        time.sleep(min(client.waits.between * 2 ** (idle - 1), 30.0))


def _receive(client: Client, where: str, received: _Received, told: Callable[[int], None]) -> None:
    """What one connection brings. Raises _Cut when it ends too early, UnsafeError when it brings more."""
    with client.download(where, received.count) as answer:
        if answer.status == 206:
            begins, size = _range(answer)
            if begins != received.count or size != received.size:
                raise _changed(client)
        elif received.count:
            received.restart()  # a server that knows no ranges
        while received.count < received.size:
            if not (data := _read(answer, min(_STEP, received.size + 1 - received.count))):
                break
            received.add(data)
            told(len(data))
        if received.count > received.size:
            raise _changed(client)
    if received.count < received.size:
        raise _Cut


def _read(answer: http.client.HTTPResponse, length: int) -> bytes:
    """Some bytes, none at the end. Raises _Cut when the connection breaks."""
    try:
        return answer.read1(length)
    except (OSError, http.client.HTTPException) as exc:
        raise _Cut from exc


def _range(answer: Any) -> tuple[int, int]:
    found = _RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
    return (int(found[1]), int(found[2])) if found else (-1, -1)


def _changed(client: Client) -> UnsafeError:
    return UnsafeError(
        f"the snapshot that {client.shown} sends is not of the size that it promised",
        hint="does something between here and the server change what passes, or is source.url a load balancer's?",
    )
