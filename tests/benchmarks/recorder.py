"""What the recorder costs an application, and what it loses: python -m tests.benchmarks.recorder [--json] [--calls 400]

Each kind of call is made in turn with and without the recorder, in one process, in blocks that alternate; the servers
are other processes. `added_us` is what a call takes longer (difference of medians), `cpu_us` what processor time the
process takes more for it, the writing thread included. `request` is what a RAG answer does (an embedding of 60 ms,
three statements, a search, an answer of a second streamed in 50 parts): `cpu_percent` is the added share of it.
`sql_explained` is a statement of a request that is flagged, whose plan is asked for afterwards.
Then: memory after many calls, calls lost when the process is killed at a random moment, and when the disk is full.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SIZE = 1536
PARTS = 50
BLOCK = 20
_VECTOR = [random.Random(1).random() for _ in range(SIZE)]
_TEXT = "The parcel is returned within fourteen days when its seal is whole. " * 12


class _Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        wait = float(self.headers.get("x-wait") or 0)
        if self.path.endswith("/stream"):
            self._head("text/event-stream", None)
            for number in range(PARTS):
                time.sleep(wait / PARTS)
                data = b'data: {"choices":[{"delta":{"content":"part %d "}}]}\n\n' % number
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
            return
        threading.Event().wait(wait)  # what a model takes
        points = [{"id": n, "version": 0, "score": 1 / (n + 1), "payload": {"text": _TEXT}} for n in range(10)]
        answer: Any = {"result": {"points": points}, "status": "ok", "time": 0.0}
        if self.path.endswith("/embeddings"):
            answer = {"model": "e", "data": [{"embedding": _VECTOR}]}
        elif self.path.endswith("/completions"):
            answer = {"model": "m", "choices": [{"message": {"content": _TEXT}}], "usage": {"total_tokens": 900}}
        data = json.dumps(answer).encode()
        self._head("application/json", len(data))
        self.wfile.write(data)

    def _head(self, kind: str, length: int | None) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header(*(("transfer-encoding", "chunked") if length is None else ("content-length", str(length))))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return None


def _serve() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    print(server.server_port, flush=True)
    server.serve_forever()


@contextmanager
def _servers() -> Iterator[tuple[str, str]]:
    """The addresses of a model's server, which answers as Qdrant, too, and of a database."""
    from tests.support.postgres import production

    model = subprocess.Popen([sys.executable, "-m", "tests.benchmarks.recorder", "--serve"], stdout=subprocess.PIPE)
    assert model.stdout is not None
    try:
        with production(18) as server:
            server.create_database("app")
            server.execute(
                "CREATE TABLE docs (id int PRIMARY KEY, body text, at timestamptz);"
                "INSERT INTO docs SELECT i, repeat('refund ', 60), '2026-01-02' FROM generate_series(1, 1000) i",
                "app",
            )
            yield f"http://127.0.0.1:{int(model.stdout.readline())}", server.dsn_for("app")
    finally:
        model.kill()
        model.wait()


def _calls(url: str, dsn: str) -> dict[str, Callable[[], None]]:
    import httpx
    import psycopg
    from qdrant_client import QdrantClient

    from envclone import record

    conn = psycopg.connect(dsn, autocommit=True)
    client = httpx.Client(headers={"Authorization": "Bearer sk-benchmark-0123456789"}, timeout=60)
    kb = QdrantClient(url=url, check_compatibility=False)
    messages = [{"role": "system", "content": _TEXT}, {"role": "user", "content": _TEXT * 8}]

    def sql() -> None:
        conn.execute("SELECT id, body, at FROM docs WHERE id > %s ORDER BY id LIMIT 10", [17]).fetchall()

    def sql_vector() -> None:
        conn.execute("SELECT id, body FROM docs WHERE %s::float8[] IS NOT NULL LIMIT 10", [_VECTOR]).fetchall()

    def sql_explained() -> None:
        record.flag("slow")
        sql()

    def vector() -> None:
        kb.query_points("docs", query=_VECTOR, limit=10)

    def model(wait: float = 0.0) -> None:
        body = {"model": "m", "temperature": 0, "messages": messages}
        client.post(f"{url}/v1/chat/completions", json=body, headers={"x-wait": str(wait)}).json()

    def stream(wait: float = 0.0) -> None:
        body = {"model": "m", "stream": True, "messages": messages}
        with client.stream("POST", f"{url}/v1/stream", json=body, headers={"x-wait": str(wait)}) as answer:
            for _ in answer.iter_lines():
                pass

    def request() -> None:
        client.post(f"{url}/v1/embeddings", json={"input": _TEXT}, headers={"x-wait": "0.06"}).json()
        sql()
        sql_vector()
        sql()
        vector()
        stream(1.0)

    return {
        "sql": sql,
        "sql_vector": sql_vector,
        "sql_explained": sql_explained,
        "vector": vector,
        "model": model,
        "stream": stream,
        "request": request,
    }


def _measured(name: str, call: Callable[[], None], count: int, directory: Path, dsn: str) -> dict[str, Any]:
    import psycopg

    from envclone import record

    how: dict[str, Any] = {"explain": lambda: psycopg.connect(dsn)} if name.endswith("explained") else {}

    times: dict[bool, list[float]] = {False: [], True: []}
    cpu = {False: 0.0, True: 0.0}
    for block in range(2 * max(2, count // (BLOCK if name != "request" else 2))):
        recording = bool(block % 2)
        if recording:
            record.start(str(directory / name), **how)
            for _ in range(2):  # the thread and the file are there
                with record.session(name):
                    call()
            record.flush()
        began = time.process_time()
        for _ in range(BLOCK if name != "request" else 2):
            start = time.perf_counter()
            with record.session(name):
                call()
            times[recording].append(time.perf_counter() - start)
        if recording:
            assert record.flush(30)
        cpu[recording] += time.process_time() - began
        if recording:
            status = record.status()
            assert not (status["errors"] or status["dropped"] or status["lost"]), status
            record.stop()
    made = len(times[True])
    without, with_it = statistics.median(times[False]), statistics.median(times[True])
    added_cpu = (cpu[True] - cpu[False]) / made
    return {
        "calls": made,
        "without_us": round(without * 1e6, 1),
        "added_us": round((with_it - without) * 1e6, 1),
        "cpu_without_us": round(cpu[False] / made * 1e6, 1),
        "cpu_us": round(added_cpu * 1e6, 1),
        "cpu_percent": round(100 * added_cpu / (sum(times[False]) / made), 3),
    }


def _started() -> dict[str, float]:
    """What importing and starting take, in a process of its own that has the standard modules of any application."""
    script = (
        "import asyncio, json, re, threading, logging, time\n"
        "began, cpu = time.perf_counter(), time.process_time()\n"
        "from envclone import record\nrecord.start({!r})\n"
        "print(time.perf_counter() - began, time.process_time() - cpu)"
    )
    found = []
    for _ in range(7):
        with tempfile.TemporaryDirectory() as directory:
            done = subprocess.run(
                [sys.executable, "-c", script.format(directory)], capture_output=True, check=True, text=True
            )
            found.append([float(one) for one in done.stdout.split()])
    wall, cpu = (statistics.median(column) for column in zip(*found, strict=True))
    return {"ms": round(wall * 1000, 2), "cpu_ms": round(cpu * 1000, 2)}


def _memory(calls: dict[str, Callable[[], None]], directory: Path) -> dict[str, Any]:
    """Resident memory (MB) after some thousand calls, and after ten times as many."""
    from envclone import record

    def resident() -> float:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / (1 << 20)

    record.start(str(directory / "memory"), recent=8 << 20, kept=8 << 20)
    sizes = []
    for count in (1000, 9000):
        for _ in range(count):
            with record.session("memory"):
                calls["sql"]()
        record.flush(60)
        sizes.append(round(resident(), 1))
    record.stop()
    disk = sum(path.stat().st_size for path in (directory / "memory").iterdir()) / (1 << 20)
    return {"after_1000_mb": sizes[0], "after_10000_mb": sizes[1], "on_disk_mb": round(disk, 1), "limit_mb": 16}


def _child(directory: str, dsn: str, most: int, limit: int) -> None:
    """Makes statements as fast as they go, and says after each that it is done."""
    import psycopg

    from envclone import record

    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    record.start(directory)
    with psycopg.connect(dsn, autocommit=True) as conn, record.session("killed"):
        for number in range(most):
            conn.execute("SELECT %s::int, body FROM docs LIMIT 3", [number]).fetchall()
            os.write(1, b"%d\n" % number)
    record.flush()
    os.write(1, (json.dumps(record.status()) + "\n").encode())


def _numbers(directory: Path) -> set[int]:
    from envclone.incidents.traces import recording

    try:
        one = recording.listed(directory)[0]
        return {values["params"][0] for _, values in recording.records(directory, one) if values.get("kind") == "sql"}
    except Exception:  # nothing was written yet
        return set()


def _killed(dsn: str, times: int) -> dict[str, Any]:
    draw = random.Random(7)
    lost, made = [], 0
    for _ in range(times):
        with tempfile.TemporaryDirectory() as place:
            directory = Path(place) / "r"
            child = _start(directory, dsn, 10**6, 0)
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(draw.uniform(0.05, 0.6))
            child.send_signal(signal.SIGKILL)
            done = [int(line) for line in child.stdout.read().split(b"\n")[:-1]]
            child.wait()
            made += len(done)
            lost.append(len(set(done) - _numbers(directory)))
    return {"kills": times, "calls": made, "lost_most": max(lost), "lost": lost}


def _full(dsn: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place) / "r"
        child = _start(directory, dsn, 2000, 256 << 10)
        assert child.stdout is not None
        lines = child.stdout.read().decode().splitlines()
        code = child.wait()
        status = json.loads(lines[-1])
        return {"calls": len(lines) - 1, "exit_code": code, "on_disk": len(_numbers(directory)), "lost": status["lost"],
                "errors": status["errors"], "why": status["why"]}  # fmt: skip


def _start(directory: Path, dsn: str, most: int, limit: int) -> subprocess.Popen[bytes]:
    arguments = ["--child", str(directory), dsn, str(most), str(limit)]
    return subprocess.Popen([sys.executable, "-m", "tests.benchmarks.recorder", *arguments], stdout=subprocess.PIPE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="a document; it is always one")
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        _serve()
        return
    if options.child:
        directory, dsn, most, limit = options.child
        _child(directory, dsn, int(most), int(limit))
        return
    result: dict[str, Any] = {"cpus": os.cpu_count(), "start": _started()}
    with tempfile.TemporaryDirectory() as place, _servers() as (url, dsn):
        calls = _calls(url, dsn)
        counts = {"request": 20}
        result["calls"] = {
            name: _measured(name, call, counts.get(name, options.calls), Path(place), dsn)
            for name, call in calls.items()
        }
        result["memory"] = _memory(calls, Path(place))
        result["killed"] = _killed(dsn, options.kills)
        result["disk_full"] = _full(dsn)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
