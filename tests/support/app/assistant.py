"""A small RAG service: embeds a question, searches, asks a model with a tool, streams the answer; inside a sandbox,
and by the tests as production's own."""

import json
import os
import sys
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

import psycopg

BASE = os.environ["OPENAI_BASE_URL"]
TOOL = {"type": "function", "function": {"name": "orders", "parameters": {"type": "object", "properties": {}}}}


def post(path: str, body: dict) -> bytes:
    """One call of the model's API."""
    headers = {"Content-Type": "application/json", "Authorization": "Bearer x"}
    request = urllib.request.Request(BASE + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.read()


def found(vector: list, email: str) -> tuple:
    """Who asks, and the three tickets nearest to the question."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as conn:
        conn.execute("SET enable_seqscan = off")
        (name,) = conn.execute("SELECT name FROM customers WHERE email = %s", [email]).fetchone()
        rows = conn.execute(
            "SELECT id, body FROM tickets ORDER BY embedding <-> %s::vector LIMIT 3", [json.dumps(vector)]
        ).fetchall()
    return name, rows


def ask(question: str, email: str) -> dict:
    """The whole way from a question to its answer."""
    vector = json.loads(post("/embeddings", {"model": "embed-1", "input": question}))["data"][0]["embedding"]
    name, rows = found(vector, email)
    context = "\n".join(f"[{id}] {body}" for id, body in rows)
    body = {
        "model": os.environ.get("MODEL", "chat-1"),
        "temperature": 0.2,
        "user": os.urandom(4).hex(),  # changes nothing
        "messages": [
            {"role": "system", "content": os.environ.get("PROMPT", "You help customers. Cite tickets.")},
            {"role": "user", "content": f"{name} <{email}> asks: {question}\n\nTickets:\n{context}"},
        ],
        "tools": [TOOL],
    }
    said = json.loads(post("/chat/completions", body))["choices"][0]["message"]
    body["messages"].append(said)
    with urllib.request.urlopen(f"{os.environ['TOOL_URL']}?email={quote(email)}", timeout=20) as answer:
        orders = json.load(answer)
    body["messages"].append(
        {"role": "tool", "tool_call_id": said["tool_calls"][0]["id"], "content": json.dumps(orders)}
    )
    words = []
    for line in post("/chat/completions", {**body, "stream": True}).decode().splitlines():
        if line.startswith("data: {"):
            words.append(json.loads(line[6:])["choices"][0]["delta"].get("content", ""))
    return {"answer": "".join(words), "tickets": [id for id, _ in rows], "orders": len(orders["orders"])}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.answer({"ok": True})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            self.answer(ask(asked["question"], asked["email"]))
        except Exception as exc:
            self.answer({"error": str(exc)}, 502)

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
    ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8000"))), Handler).serve_forever()
