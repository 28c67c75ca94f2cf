"""Recorded exchanges over HTTP: with models, embeddings, rerankers and tools; and the request to the service itself."""

from __future__ import annotations

import codecs
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from envclone.cassette.operations import kind_of
from envclone.incidents.bundle import HttpStep, Step
from envclone.incidents.calls import Call
from envclone.incidents.differences import UNANSWERED
from envclone.incidents.exchanges import Chunk, Encoding, Exchange
from envclone.incidents.traces.recordedvalues import body_of
from envclone.incidents.traces.recording import moment
from envclone.incidents.traces.steps import Stores

__all__ = ["exchange_of", "http_call", "request_step"]

_CLOSED = "closed before its end"
_HOP = ("connection", "keep-alive", "transfer-encoding", "content-length", "host", "accept-encoding")
"""Headers of one connection, not of what is said over it."""
_NOT_SETTINGS = ("model", "messages", "input", "prompt", "system", "tools", "contents", "query", "documents", "stream",
                 "instructions", "texts")  # fmt: skip


def exchange_of(one: Mapping[str, Any], number: int, call: str) -> Exchange | None:
    """A recorded exchange; None for one whose request or answer was not recorded whole."""
    if one.get("cut") or one.get("sent_in_parts") or (one.get("status") is None and not one.get("error")):
        return None
    method, url = str(one.get("method") or "POST"), str(one.get("url") or "").partition("#")[0]
    encoding, body = _written(one.get("body"))
    answer_encoding, answer = _written(one.get("answer"))
    parts = _chunks(one.get("parts"))
    drop = (*_HOP, "content-encoding") if one.get("decoded") else _HOP
    error = one.get("error")
    if error == _CLOSED and (parts or answer):
        error = None  # the application had read what it wanted
    return Exchange(
        id=f"exchange-{number}", kind=kind_of(method, urlsplit(url).path), call=call, method=method, url=url,
        headers=_headers(one.get("headers"), _HOP), encoding=encoding, body=body, status=one.get("status") or 200,
        answer_headers=_headers(one.get("answer_headers"), drop), answer_encoding="text" if parts else answer_encoding,
        answer=None if parts else answer, chunks=parts, error=error, began=moment(one.get("at")), seconds=one.get("s"),
    )  # fmt: skip


def http_call(common: Mapping[str, Any], one: Mapping[str, Any], exchange: Exchange | None) -> Call:
    """The same as a call: which model, what it was asked and answered."""
    method, url = str(one.get("method") or "POST"), str(one.get("url") or "")
    kind = kind_of(method, urlsplit(url).path)
    asked, answer = _json(one.get("body")), _json(one.get("answer"))
    body = asked if isinstance(asked, dict) else {}
    said = answer if isinstance(answer, dict) else {}
    streamed = _events(one.get("parts"))
    if streamed:
        said = next((each for each in reversed(streamed) if each.get("model")), {})
    model = said.get("model") or body.get("model")
    usage: dict[str, Any] = next(
        (each["usage"] for each in (*reversed(streamed), said) if isinstance(each.get("usage"), dict)), {}
    )
    parts = urlsplit(url)
    return Call(
        **common, kind=kind, name=f"{method} {parts.path or '/'}", model=model if isinstance(model, str) else None,
        provider=parts.hostname if kind != "http" else None,
        settings={key: value for key, value in body.items() if key not in _NOT_SETTINGS} if kind == "llm" else {},
        system=body.get("system") or body.get("instructions"), tools=body.get("tools"),
        input=next((body[key] for key in ("messages", "input", "contents", "prompt", "query") if key in body), asked),
        output=_text(streamed) or streamed or answer or one.get("answer"), usage=usage,
        finish=_finish((said, *streamed)),
        other={key: value for key, value in {
            "url": url, "status": one.get("status"), "cut": one.get("cut"), "sent_in_parts": one.get("sent_in_parts"),
            "exchange": exchange.id if exchange is not None else None, "chunks": len(one.get("parts") or ()),
            "request": asked if kind != "http" else None,
        }.items() if value},
    )  # fmt: skip


def request_step(head: Mapping[str, Any], stores: Stores, *, ended: bool) -> list[Step]:
    """The request to the application itself, when it came over HTTP and a service is named for it.

    One that never ended was given no answer: that is what a replay has to show.
    """
    path, status = head.get("start.path"), head.get("end.status")
    if stores.service is None or not isinstance(path, str) or head.get("asked.cut"):
        return []
    rows = [] if not isinstance(status, int) or head.get("end.cut") else [[status, _json(head.get("end.body"))]]
    if not rows and ended:
        return []  # its answer is not known whole: a replay would have nothing to hold it to
    headers = _headers(head.get("start.headers"), ())
    kept = {name: value for name, value in headers.items() if name.lower() in ("content-type", "accept")}
    return [
        HttpStep.model_validate({
            "id": "request", "service": stores.service, "method": head.get("start.method") or "GET",
            "path": path, "headers": kept, "body": _json(head.get("asked.body")) or None,
            "expect": {"rows": rows} if rows else {"error": UNANSWERED},
        })
    ]  # fmt: skip


def _written(value: Any) -> tuple[Encoding, Any]:
    """A body as an exchange has it: parsed where it is JSON that reads back the same."""
    encoding, content = body_of(value)
    if encoding == "base64":
        return "base64", content
    parsed = _json(content)
    return ("json", parsed) if isinstance(parsed, dict | list) else ("text", content or None)


def _json(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value) if value[:1] in ("{", "[") else value
    except (ValueError, RecursionError):
        return value


def _headers(pairs: Any, drop: Sequence[str]) -> dict[str, str]:
    """Headers without those that let somebody in, or say how the bytes went."""
    found: dict[str, str] = {}
    for pair in pairs if isinstance(pairs, list) else ():
        if isinstance(pair, list) and len(pair) == 2 and pair[1] != "***" and str(pair[0]).lower() not in drop:
            name, value = str(pair[0]), str(pair[1])
            found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _chunks(parts: Any) -> tuple[Chunk, ...]:
    """The parts of a stream with their times, cut where a character ends."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    chunks: list[Chunk] = []
    last = 0.0
    for part in parts if isinstance(parts, list) else ():
        at, value = float(part[0]), part[1]
        encoding, content = body_of(value)
        raw = codecs.decode(content.encode(), "base64") if encoding == "base64" else content.encode("utf-8", "replace")
        if text := decoder.decode(raw):
            chunks.append(Chunk(after=max(0.0, round(at - last, 6)), data=text))
            last = at
    return tuple(chunks)


def _events(parts: Any) -> list[dict[str, Any]]:
    """The JSON of a stream's events."""
    text = "".join(chunk.data for chunk in _chunks(parts))
    found = []
    for line in text.splitlines():
        value = _json(line.removeprefix("data:").strip())
        if isinstance(value, dict):
            found.append(value)
    return found


def _text(events: Sequence[Mapping[str, Any]]) -> str:
    """What the pieces of a streamed answer make together."""
    found = []
    for event in events:
        for choice in event.get("choices") or ():
            delta = choice.get("delta") if isinstance(choice, dict) else None
            found.append(delta.get("content") if isinstance(delta, dict) else None)
        delta, message = event.get("delta"), event.get("message")
        found.append(delta.get("text") if isinstance(delta, dict) else delta)
        found.append(message.get("content") if isinstance(message, dict) else event.get("response"))
    return "".join(one for one in found if isinstance(one, str))


def _finish(events: Sequence[Mapping[str, Any]]) -> list[str]:
    found = []
    for event in events:
        choices = [one for one in event.get("choices") or () if isinstance(one, dict)]
        delta = event.get("delta") if isinstance(event.get("delta"), dict) else {}
        found += [one.get("finish_reason") for one in choices]
        found += [event.get("stop_reason"), (delta or {}).get("stop_reason"), event.get("done_reason")]
    return list(dict.fromkeys(str(one) for one in found if one))
