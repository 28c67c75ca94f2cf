"""A scripted model and a tool over HTTP, as production asks them; what was exchanged is written down as exchanges."""

from __future__ import annotations

import base64
import contextlib
import json
import math
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

MODEL, TOOL = "https://api.openai.com", "https://tools.example"


@dataclass
class Scripted:
    """Where it answers, also as the proxy of the tool, and what was exchanged so far."""

    port: int
    exchanges: list[dict[str, Any]] = field(default_factory=list)

    def keep(self, kind: str, method: str, url: str, body: Any, **answer: Any) -> None:
        """Write down an exchange."""
        one = {"id": f"{kind}-{len(self.exchanges) + 1}", "kind": kind, "method": method, "url": url, "body": body}
        self.exchanges.append({**one, **answer})


@contextlib.contextmanager
def scripted(name: str, host: str = "127.0.0.1") -> Iterator[Scripted]:
    """A model that embeds, calls a tool, and then streams an answer to `name`, whose words are parted anyhow."""
    answered = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "chat-1"}
    called = {"id": "call_1", "type": "function", "function": {"name": "orders", "arguments": "{}"}}
    parts = ["Dear ", name[:3], f"{name[3:]}, your ref", "und is on its way: ticket ", "17."]

    def streamed(deltas: Iterable[dict[str, Any]], why: str) -> list[str]:
        """The chunks of one answer, whose id is its own."""
        head = {**answered, "id": f"chatcmpl-{len(made.exchanges)}"}
        choices: list[dict[str, Any]] = [{"index": 0, "delta": one, "finish_reason": None} for one in deltas]
        choices.append({"index": 0, "delta": {}, "finish_reason": why})
        return [f"data: {json.dumps({**head, 'choices': [one]})}\n\n" for one in choices] + ["data: [DONE]\n\n"]

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = {"orders": [{"number": 5, "buyer": name}]}
            url = self.path if self.path.startswith("http:") else TOOL + self.path  # as a proxy it is asked so
            made.keep("tool", "GET", url, None, answer=answer)
            self.send(json.dumps(answer))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            url = MODEL + self.path
            if self.path.endswith("/embeddings"):
                asked = "".join(body["input"])
                vector = [round(math.sin(len(asked) + i), 6) for i in range(8)]
                packed = base64.b64encode(struct.pack("<8f", *vector)).decode()
                wanted = packed if body.get("encoding_format") == "base64" else vector
                answer: dict[str, Any] = {"data": [{"index": 0, "embedding": wanted}]}
                made.keep("embedding", "POST", url, body, answer=answer)
            elif body.get("stream"):
                deltas = [{"content": part} for part in parts]
                told = body["messages"][-1]["role"] == "tool"
                calling = [{"role": "assistant", "content": None, "tool_calls": [{"index": 0, **called}]}]
                chunks = streamed(deltas, "stop") if told else streamed(calling, "tool_calls")
                made.keep("llm", "POST", url, body, chunks=[{"after": 0.01, "data": one} for one in chunks])
                self.send("".join(chunks), "text/event-stream")
                return
            else:
                answer = {"choices": [{"message": {"role": "assistant", "content": None, "tool_calls": [called]}}]}
                made.keep("llm", "POST", url, body, answer=answer)
            self.send(json.dumps(answer))

        def send(self, text: str, kind: str = "application/json") -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer((host, 0), Answers) as server:
        made = Scripted(server.server_address[1])
        Thread(target=server.serve_forever, daemon=True).start()
        yield made
        server.shutdown()
