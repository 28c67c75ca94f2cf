"""Requests as browsers write them down: HAR 1.2."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

from envclone.cassette.operations import kind_of
from envclone.incidents.traces.searches import asked_at
from envclone.incidents.traces.span import Span, Trace, bounded, loose, moment, parsed
from envclone.record.secrets import HIDDEN, is_secret_header, redacted_url

__all__ = ["exchange", "har", "is_har"]


def is_har(document: Any) -> bool:
    """Whether a parsed document is a HAR."""
    return isinstance(document, Mapping) and isinstance(document.get("log"), Mapping) and "entries" in document["log"]


def har(document: Mapping[str, Any]) -> Trace:
    """Each exchange as a call, in order."""
    log = document["log"]
    spans = []
    for number, entry in enumerate(bounded(one for one in log["entries"] if isinstance(one, Mapping)), 1):
        request, response = loose(entry.get("request")), loose(entry.get("response"))
        began = moment(entry.get("startedDateTime"))
        took = entry.get("time")
        ended = moment(began.timestamp() + took / 1000) if began and isinstance(took, int | float) else None
        body, form = _posted(loose(request.get("postData")))
        content = loose(response.get("content"))
        answer, packed = _content(content)
        spent = ("request", "response", "startedDateTime", "time")
        unread = {f"{key}.unread": entry[key] for key in ("request", "response")
                  if entry.get(key) and not isinstance(entry[key], Mapping)}  # fmt: skip
        beside = {f"{key}.{name}": value for key, holder, said in (
            ("request", request, _REQUEST), ("response", response, _RESPONSE), ("content", content, _CONTENT)
        ) for name, value in holder.items() if name not in said and value not in ("", -1)}  # fmt: skip
        spans.append(
            exchange(
                str(number), str(request.get("method") or "GET"), str(request.get("url") or ""),
                _headers(request.get("headers")), body, began, ended, form=form,
                answer=parsed(answer), status=response.get("status"),
                rest={
                    **{key: value for key, value in entry.items() if key not in spent},
                    **unread,
                    **beside,
                    "response.headers": _headers(response.get("headers")),
                    "mime": content.get("mimeType"),
                    "content.encoding": "base64" if packed else None,
                },
            )
        )  # fmt: skip
    others = [one for one in log["entries"] if not isinstance(one, Mapping)]
    return Trace(
        "har", spans, {**{key: value for key, value in log.items() if key != "entries"}, "not entries": others}
    )


_REQUEST = ("method", "url", "headers", "postData", "queryString", "cookies", "headersSize", "bodySize")
_RESPONSE = ("status", "headers", "content", "cookies", "headersSize", "bodySize")
_CONTENT = ("text", "encoding", "mimeType", "size")
"""What is read, or said twice, or lets somebody in."""


def _posted(data: Mapping[str, Any]) -> tuple[Any, list[Any]]:
    """A request's body, or the fields of a form that has several parts."""
    fields = data.get("params")
    if data.get("text") or not isinstance(fields, list) or not fields:
        return parsed(data.get("text")), []
    if not str(data.get("mimeType")).startswith("application/x-www-form-urlencoded"):
        return None, fields
    return urlencode([(str(loose(one).get("name")), str(loose(one).get("value") or "")) for one in fields]), []


def exchange(
    ident: str, method: str, url: str, headers: Mapping[str, str], body: Any, began: Any, ended: Any, *,
    answer: Any = None, status: Any = None, rest: Mapping[str, Any] | None = None, form: Sequence[Any] = (),
) -> Span:  # fmt: skip
    """A request with its answer as a span; a `form` of several parts has no body that could be sent again."""
    url = redacted_url(url)
    parts = urlsplit(url)
    model = body.get("model") if isinstance(body, Mapping) else None
    kind: str = kind_of(method, parts.path)
    search = asked_at(url) if isinstance(body, Mapping) else None
    attributes = {"db.system": "qdrant", "db.collection.name": search[0]} if search else {}
    if search:
        kind = "vector"
    asked = {"method": method, "url": url, "headers": _seen(headers), "body": body, "form": list(form)}
    failed = isinstance(status, int) and status >= _BAD
    return Span(
        ident, None, f"{method} {parts.path or '/'}", attributes, began, ended, f"status {status}" if failed else None,
        {"kind": kind, "input": {key: value for key, value in asked.items() if value}, "output": answer,
         "model": model if isinstance(model, str) else None},
        {**(rest or {}), "status": status},
    )  # fmt: skip


_BAD = 400


def _seen(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers without what lets somebody in: what these hold does not come into a bundle."""
    return {name: HIDDEN if is_secret_header(name) else redacted_url(value) for name, value in headers.items()}


def _headers(found: Any) -> dict[str, str]:
    if isinstance(found, Mapping):
        return _seen({str(name): str(value) for name, value in found.items()})
    return _seen(dict(_named(found))) if isinstance(found, Sequence) else {}


def _named(found: Sequence[Any]) -> Iterator[tuple[str, str]]:
    for one in found:
        if isinstance(one, Mapping):
            yield str(one.get("name")), str(one.get("value"))


def _content(content: Mapping[str, Any]) -> tuple[Any, bool]:
    """An answer's text, and whether it is still in base64: what is no text stays as it is written."""
    text = content.get("text")
    if content.get("encoding") == "base64" and isinstance(text, str):
        try:
            return base64.b64decode(text, validate=True).decode(), False
        except (binascii.Error, ValueError):
            return text, True
    return text, False
