"""A small application service: answers from Postgres and from a vector store, over HTTP. Used inside a sandbox, and by
the tests as production's own."""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import psycopg


def tickets(email: str) -> dict:
    """A customer and the tickets that are nearest to the newest of hers."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as conn:
        customer = conn.execute("SELECT id, name, email FROM customers WHERE email = %s", [email]).fetchone()
        if customer is None:
            return {"customer": None, "related": []}
        rows = conn.execute(
            "SELECT id, body FROM tickets ORDER BY embedding <-> "
            "(SELECT embedding FROM tickets WHERE customer_id = %s ORDER BY id DESC LIMIT 1), id LIMIT 3",
            [customer[0]],
        ).fetchall()
    return {
        "customer": {"name": customer[1], "email": customer[2]},
        "related": [{"id": id, "body": body} for id, body in rows],
    }


def articles(path: str) -> list:
    """What the vector store has nearest to a fixed question."""
    import qdrant_edge as q

    shard = q.EdgeShard.load(f"{path}/collections/articles/0")
    try:
        found = shard.query(q.QueryRequest(query=q.Query.Nearest([0.1, 0.2, 0.3, 0.4]), limit=3, with_payload=True))
        return [{"id": hit.id, "score": hit.score, "payload": hit.payload} for hit in found]
    finally:
        shard.close()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/healthz":
            return self.answer({"ok": True})
        if parts.path == "/tickets":
            return self.answer({**tickets(query["email"]), "served_by": str(os.getpid())})
        if parts.path == "/articles":
            return self.answer({"articles": articles(os.environ["KB_PATH"])})
        if parts.path == "/infer":  # work that needs memory, in this process or in a child
            size = int(os.environ.get("INFERENCE_MB", "200")) << 20
            if query.get("child"):
                pid = os.fork()
                if pid == 0:
                    block = bytearray(size)
                    block[::4096] = b"x" * len(block[::4096])
                    os._exit(0)
                _, status = os.waitpid(pid, 0)
                return self.answer({"answer": "42" if status == 0 else "cut short"})
            block = bytearray(size)
            block[::4096] = b"x" * len(block[::4096])
            return self.answer({"answer": "42"})
        return self.answer({"error": "no such path"}, 404)

    def answer(self, document: dict, status: int = 200) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        sys.stderr.write(f"request {args[0]}\n")


if __name__ == "__main__":
    sys.stderr.write("serving\n")
    ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8000"))), Handler).serve_forever()
