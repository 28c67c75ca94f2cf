"""Requests as browsers and people write them down: HAR 1.2, and a command line of curl."""

from __future__ import annotations

import base64
import binascii
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from envclone.errors import UsageError
from envclone.incidents.traces.span import Span, Trace, bounded, moment, parsed

__all__ = ["curl", "har", "is_har"]

_MODELS = ("/chat/completions", "/completions", "/responses", "/v1/messages", ":generatecontent", "/api/chat",
           "/api/generate")  # fmt: skip
_HIDDEN = frozenset(("authorization", "cookie", "set-cookie", "proxy-authorization", "x-api-key", "api-key"))
"""Headers that let somebody in: what they hold does not come into a bundle."""


_WITH_VALUE = frozenset(
    (
        *("-u", "--user", "-b", "--cookie", "-A", "--user-agent", "-e", "--referer", "-o", "--output", "-m"),
        *("--max-time", "--connect-timeout", "--cacert", "--cert", "--key", "-x", "--proxy", "-F", "--form"),
    )
)
"""Options of curl whose value is none of the request's that is asked here."""


def is_har(document: Any) -> bool:
    """Whether a parsed document is a HAR."""
    return isinstance(document, Mapping) and isinstance(document.get("log"), Mapping) and "entries" in document["log"]


def har(document: Mapping[str, Any]) -> Trace:
    """Each exchange as a call, in order."""
    log = document["log"]
    spans = []
    for number, entry in enumerate(bounded(one for one in log["entries"] if isinstance(one, Mapping)), 1):
        request, response = entry.get("request") or {}, entry.get("response") or {}
        began = moment(entry.get("startedDateTime"))
        took = entry.get("time")
        ended = moment(began.timestamp() + took / 1000) if began and isinstance(took, int | float) else None
        text = (request.get("postData") or {}).get("text")
        content = response.get("content") or {}
        spent = ("request", "response", "startedDateTime", "time")
        spans.append(
            _exchange(
                str(number), str(request.get("method") or "GET"), str(request.get("url") or ""),
                _headers(request.get("headers")), parsed(text), began, ended,
                answer=parsed(_content(content)), status=response.get("status"),
                rest={
                    **{key: value for key, value in entry.items() if key not in spent},
                    "response.headers": _headers(response.get("headers")),
                    "mime": content.get("mimeType"),
                },
            )
        )  # fmt: skip
    return Trace("har", spans, {key: value for key, value in log.items() if key != "entries"})


def curl(text: str) -> Trace:
    """The request of a command line. Raises UsageError when it names no address."""
    words = shlex.split(text.replace("\\\n", " ").replace("\\\r\n", " "))
    method, url, headers, body = "", "", {}, []
    position = iter(words[1:])
    for word in position:
        option, _, inline = word.partition("=") if word.startswith("--") else (word, "", "")
        if option in ("-X", "--request"):
            method = inline or next(position, "")
        elif option in ("-H", "--header"):
            name, _, value = (inline or next(position, "")).partition(":")
            headers[name.strip()] = value.strip()
        elif option in ("-d", "--data", "--data-raw", "--data-binary", "--data-ascii", "--json", "--data-urlencode"):
            body.append(inline or next(position, ""))
            if option == "--json":
                headers.setdefault("Content-Type", "application/json")
        elif option in _WITH_VALUE:
            if not inline:
                next(position, "")
        elif option == "--url":
            url = inline or next(position, "")
        elif not word.startswith("-"):
            url = word
    if not url:
        raise UsageError("the command line of curl names no address")
    said = parsed("&".join(body)) if body else None
    return Trace("curl", [_exchange("1", method or ("POST" if body else "GET"), url, headers, said, None, None)])


def _exchange(
    ident: str, method: str, url: str, headers: Mapping[str, str], body: Any, began: Any, ended: Any, *,
    answer: Any = None, status: Any = None, rest: Mapping[str, Any] | None = None,
) -> Span:  # fmt: skip
    parts = urlsplit(url)
    path = parts.path.lower()
    model = body.get("model") if isinstance(body, Mapping) else None
    kind = "http"
    if path.endswith(_MODELS):
        kind = "llm"
    elif path.endswith("/embeddings"):
        kind = "embedding"
    elif path.endswith("/rerank"):
        kind = "rerank"
    asked = {"method": method, "url": url, "headers": _seen(headers), "body": body}
    failed = isinstance(status, int) and status >= _BAD
    return Span(
        ident, None, f"{method} {parts.path or '/'}", {}, began, ended, f"status {status}" if failed else None,
        {"kind": kind, "input": {key: value for key, value in asked.items() if value}, "output": answer,
         "model": model if isinstance(model, str) else None},
        {**(rest or {}), "status": status},
    )  # fmt: skip


_BAD = 400


def _seen(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: "***" if name.lower() in _HIDDEN else value for name, value in headers.items()}


def _headers(found: Any) -> dict[str, str]:
    return _seen(dict(_named(found))) if isinstance(found, Sequence) else {}


def _named(found: Sequence[Any]) -> Iterator[tuple[str, str]]:
    for one in found:
        if isinstance(one, Mapping):
            yield str(one.get("name")), str(one.get("value"))


def _content(content: Mapping[str, Any]) -> Any:
    text = content.get("text")
    if content.get("encoding") == "base64" and isinstance(text, str):
        try:
            return base64.b64decode(text, validate=True).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            return text
    return text
