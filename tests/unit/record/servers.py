"""A scripted server: what it is asked it answers by its path, whole, in parts, or not at all."""

from __future__ import annotations

import contextlib
import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["PARTS", "scripted"]

PARTS = ['data: {"model":"m-1","choices":[{"delta":{"content":"Zo"}}]}\n\n',
         'data: {"choices":[{"delta":{"content":"ë"},"finish_reason":"stop"}],"usage":{"total_tokens":3}}\n\n',
         "data: [DONE]\n\n"]  # fmt: skip


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers.get("content-length") or 0))
        path = self.path.partition("?")[0]
        if path.endswith("/broken"):
            self.send_response(200)
            self.send_header("content-length", "100")
            self.end_headers()
            self.wfile.write(b"half")
            return
        if path.endswith("/moved"):
            self.send_response(307)
            self.send_header("location", "/v1/embeddings")
            self.send_header("content-length", "0")
            self.end_headers()
            return
        if b'"stream"' in sent:
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            for part in PARTS:
                self.wfile.write(part.encode())
                self.wfile.flush()
            return
        answers: dict[str, Any] = {
            "/v1/chat/completions": {"model": "m-1", "choices": [{"message": {"content": "yes"},
                                     "finish_reason": "stop"}], "usage": {"total_tokens": 7}},
            "/v1/embeddings": {"model": "e-1", "data": [{"embedding": [0.5] * 8}]},
        }  # fmt: skip
        answer = json.dumps(answers.get(path, {"ok": True})).encode()
        if path.endswith("/zip"):
            answer = gzip.compress(b'{"zipped": true}')
        self.send_response(503 if path.endswith("/busy") else 200)
        self.send_header("content-type", "application/json")
        if path.endswith("/zip"):
            self.send_header("content-encoding", "gzip")
        self.send_header("set-cookie", "sid=abcdefghijkl")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST

    def log_message(self, *_: object) -> None:
        return None


@contextlib.contextmanager
def scripted() -> Iterator[str]:
    """The server's address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
