"""A request is carried to its calls through threads, tasks and generators; nothing of ours breaks any of them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from envclone import record
from envclone.record import sessions, writer
from tests.unit.record.ring import Recording


def _said(recording: Recording) -> dict[str, list[Any]]:
    names = {request: values["name"] for name, request, values in recording.all() if name == "start"}
    found: dict[str, list[Any]] = {name: [] for name in names.values()}
    for name, request, values in recording.all():
        if name == "call" and values.get("t") == "note":
            found[names[request]].append(values["values"]["n"])
    return found


def test_tasks_and_threads_keep_their_requests_apart(recording: Recording) -> None:
    async def one(name: str) -> None:
        async with record.session(name):
            for number in range(3):
                record.note(n=number)
                await asyncio.sleep(0)
            await asyncio.to_thread(record.note, n="thread")

    async def both() -> None:
        await asyncio.gather(one("a"), one("b"))

    asyncio.run(both())
    with record.session("c"), ThreadPoolExecutor(1) as pool:
        pool.submit(record.note, n="lost").result()
        pool.submit(record.bind(record.note), n="bound").result()
    assert _said(recording) == {"a": [0, 1, 2, "thread"], "b": [0, 1, 2, "thread"], "c": ["bound"]}


def test_generators_that_are_closed_early_end_their_request(recording: Recording) -> None:
    @record.session("numbers")
    def numbers() -> Iterator[int]:
        for number in range(10):
            record.note(n=number)
            yield number

    @record.session("async numbers")
    async def later() -> AsyncIterator[int]:
        for number in range(10):
            record.note(n=number)
            yield number

    async def first() -> int:
        stream = later()
        try:
            return await anext(stream)
        finally:
            await stream.aclose()

    found = numbers()
    assert next(found) == 0
    found.close()
    assert asyncio.run(first()) == 0
    abroad = numbers()
    thread = threading.Thread(target=lambda: next(abroad))
    thread.start()
    thread.join()
    abroad.close()  # in another context than it began in
    assert record.current() is None
    ends = [values for name, _, values in recording.all() if name == "end"]
    assert [(values["error"], values["failed"]) for values in ends] == [("GeneratorExit", False)] * 3


def test_decorated_functions_are_what_they_were(recording: Recording) -> None:
    @record.session()
    def add(a: int, b: int = 1) -> int:
        """Adds."""
        return a + b

    @record.session()
    async def wait(a: int) -> int:
        return a

    assert (add(1), add(1, b=2), asyncio.run(wait(3)), add.__doc__) == (2, 3, 3, "Adds.")
    names = [values["name"].rpartition(".")[2] for name, _, values in recording.all() if name == "start"]
    assert names == ["add", "add", "wait"]


def test_a_session_within_another_is_a_part_of_it(recording: Recording) -> None:
    with record.session("whole"):
        record.note(n=0)
        with record.session("part", step=1):
            record.note(n=1)
    calls = recording.calls()
    assert [one.get("name") for one in calls] == [None, None, "part"]
    assert calls[2]["kind"] == "chain" and calls[2]["about"] == {"step": 1}


def test_nothing_is_recorded_and_nothing_breaks_without_a_recorder() -> None:
    with record.session("none") as none:
        record.note(n=1)
        assert record.current() is None and none.id is None
    assert not record.flag("x") and not record.flush() and not record.status()["recording"]
    record.stop()


class _Hostile:
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


def test_our_own_failures_reach_nobody(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(ZeroDivisionError), record.session("values", about=_Hostile()):
        record.note(n=_Hostile())
        record.note(n=deep)
        record.note(n=1)
        raise ZeroDivisionError
    noted = [one["values"]["n"] for one in recording.calls()]
    assert noted[0] == {"$text": "(_Hostile)"} and "nested too deep" in str(noted[1]) and noted[2] == 1

    class Odd(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    with pytest.raises(Odd), record.session("odd"):
        raise Odd

    def broken(*_: Any, **__: Any) -> Any:
        raise MemoryError

    for holder, name in ((writer.Writer, "put"), (sessions.Recorder, "begin"), (sessions, "frozen")):
        with monkeypatch.context() as patched:
            patched.setattr(holder, name, broken)
            with record.session("broken"):
                record.note(n=1)
    with monkeypatch.context() as patched:  # on the writing thread
        patched.setattr(writer, "_json", broken)
        with record.session("broken"):
            record.note(n=1)
        assert record.flush()
    found = sessions.recorder.writer
    assert found is not None
    with monkeypatch.context() as patched:
        patched.setattr(found.ring, "append", broken)
        with record.session("broken"):
            record.note(n=1)
        assert record.flush() and (found._items, found._bytes, found._urgent) == (0, 0, 0)
    with record.session("whole again"):
        record.note(n=2)
    assert _said(recording)["whole again"] == [2] and record.status()["errors"] >= 4


def test_a_full_queue_drops_and_counts_and_never_waits(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_MOST_ITEMS", 50)
    held = threading.Event()
    found = sessions.recorder.writer
    assert found is not None
    real = found.ring.append

    def slow(*args: Any) -> int:
        held.wait(30)
        return real(*args)

    monkeypatch.setattr(found.ring, "append", slow)
    began = time.monotonic()
    with record.session("much"):
        for number in range(500):
            record.note(n=number)
    assert time.monotonic() - began < 2
    held.set()
    assert record.flush(30) and record.status()["dropped"] >= 400
    with record.session("next"):
        pass
    assert any(name == "lost" and values["dropped"] >= 400 for name, _, values in recording.all())
