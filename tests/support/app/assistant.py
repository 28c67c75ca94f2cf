"""A small RAG service: embeds a question, searches, asks a model with a tool, streams the answer; inside a sandbox,
and by the tests as production's own, where it records itself."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import httpx
import psycopg
import requests

BASE = os.environ["OPENAI_BASE_URL"]
TOOL = {"type": "function", "function": {"name": "orders", "parameters": {"type": "object", "properties": {}}}}
HEADERS = {"Authorization": "Bearer x"}
CUT = int(os.environ.get("CUT", "10000"))
if "TOOL" in os.environ:
    TOOL["function"]["description"] = os.environ["TOOL"]


def post(path: str, body: dict) -> dict:
    """One call of the model's API."""
    answer = httpx.post(BASE + path, json=body, headers=HEADERS, timeout=20)
    answer.raise_for_status()
    return answer.json()


def found(vector: list, email: str) -> tuple:
    """Who asks, and the three tickets nearest to the question."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as conn:
        conn.execute("SET enable_seqscan = off")
        (name,) = conn.execute("SELECT name FROM customers WHERE email = %s", [email]).fetchone()
        rows = conn.execute(
            "SELECT id, body FROM tickets ORDER BY embedding <-> %s::vector LIMIT %s",
            [json.dumps(vector), int(os.environ.get("CHUNKS", "3"))],
        ).fetchall()
    return name, rows


def ask(question: str, email: str) -> dict:
    """The whole way from a question to its answer."""
    began = time.monotonic()
    vector = post("/embeddings", {"model": "embed-1", "input": question})["data"][0]["embedding"]
    name, rows = found(vector, email)
    context = "\n".join(f"[{id}] {body[:CUT]}" for id, body in rows)
    body = {
        "model": os.environ.get("MODEL", "chat-1"),
        "temperature": float(os.environ.get("TEMPERATURE", "0.2")),
        "user": os.urandom(4).hex(),  # changes nothing
        "messages": [
            {"role": "system", "content": os.environ.get("PROMPT", "You help customers. Cite tickets.")},
            {"role": "user", "content": f"{name} <{email}> asks: {question}\n\nTickets:\n{context}"},
        ],
        "tools": [TOOL],
    }
    said = post("/chat/completions", body)["choices"][0]["message"]
    body["messages"].append(said)
    orders = requests.get(os.environ["TOOL_URL"], params={"email": email}, timeout=20).json()
    body["messages"].append(
        {"role": "tool", "tool_call_id": said["tool_calls"][0]["id"], "content": json.dumps(orders)}
    )
    words = []
    with httpx.stream(
        "POST", f"{BASE}/chat/completions", json={**body, "stream": True}, headers=HEADERS, timeout=20
    ) as answer:
        answer.raise_for_status()
        for line in answer.iter_lines():
            if line.startswith("data: {"):
                words.append(json.loads(line[6:])["choices"][0]["delta"].get("content", ""))
    if os.environ.get("SHOW_CLOCK"):
        return {"clock": int(time.time()), "waited": time.monotonic() - began}
    return {"answer": "".join(words), "tickets": [id for id, _ in rows], "orders": len(orders["orders"])}


def application(answer: Callable) -> Callable:
    """The service, which answers a question by `answer`."""

    def served(environ: dict, start_response: Callable) -> Iterable[bytes]:
        status, document = "200 OK", {"ok": True}
        if environ["REQUEST_METHOD"] == "POST":
            asked = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
            try:
                document = answer(**asked)
            except Exception as exc:
                status, document = "502 Bad Gateway", {"error": str(exc)}
        content = json.dumps(document).encode()
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(content)))])
        return [content]

    return served


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        sys.stderr.write(f"request {args[0]}\n")


def serve(answer: Callable) -> None:
    """Serve until the process ends; recorded where it is told to."""
    served = application(answer)
    if os.environ.get("RECORD"):
        from envclone import record

        record.start(os.environ["RECORD"], application={"commit": "4f2c1d9"})
        served = record.wsgi(served)
    port = int(os.environ.get("PORT", "8000"))
    make_server("127.0.0.1", port, served, Server, Handler).serve_forever()


if __name__ == "__main__":
    serve(ask)
