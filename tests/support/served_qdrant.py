"""A stand-in for a Qdrant server's program: it takes the same settings, answers at both ports, and knows its key.

Run by itself, with the standard library only; with REFUSES true it ends like a server that refuses its storage.
"""

import json
import os
import signal
import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SETTINGS = {name.removeprefix("QDRANT__"): value for name, value in os.environ.items() if name.startswith("QDRANT__")}
REFUSES = False
STORAGE = Path(SETTINGS["STORAGE__STORAGE_PATH"])


class Http(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/readyz":
            return self._answer(200, {})
        if self.headers.get("api-key") != SETTINGS["SERVICE__API_KEY"]:
            return self._answer(401, {})
        shown = {name: value for name, value in SETTINGS.items() if name != "SERVICE__API_KEY"}
        collections = sorted(path.name for path in (STORAGE / "collections").iterdir())
        return self._answer(200, {"collections": collections, "settings": shown, "uid": os.geteuid()})

    def _answer(self, code: int, content: object) -> None:
        data = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        return None


class Grpc(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.sendall(b"grpc " + self.request.recv(64))


def main() -> int:
    if REFUSES:
        print(
            "\x1b[31mERROR\x1b[0m Panic occurred: Collection version is greater than application version",
            file=sys.stderr,
        )
        return 101
    (STORAGE / "raft_state.json").write_text("{}")
    host = SETTINGS["SERVICE__HOST"]
    http = ThreadingHTTPServer((host, int(SETTINGS["SERVICE__HTTP_PORT"])), Http)
    grpc = socketserver.ThreadingTCPServer((host, int(SETTINGS["SERVICE__GRPC_PORT"])), Grpc)
    for server in (http, grpc):
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
    signal.sigwait({signal.SIGTERM})
    return 0


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    sys.exit(main())
