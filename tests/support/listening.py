"""A small HTTP server of a test's own, on a port that is free."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["Handler", "listening"]


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers in JSON, and writes no log."""

    def say(self, status: int, document: Any) -> None:
        """The whole answer."""
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def listening(handler: type[Handler]) -> Iterator[int]:
    """The port of 127.0.0.1 on which a thread answers as long as the block."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
