"""What a HAR holds of an application's exchanges with models and tools: the cassette of an incident.

A browser's own requests (pages, pictures, the application's answers) are none of these: a request to the application is
a step, and nothing of the page is played to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from envclone.cassette.operations import kind_of
from envclone.incidents.bundle import Step
from envclone.incidents.calls import Call
from envclone.incidents.exchanges import Encoding, Exchange

__all__ = ["exchanges_of"]

_HOP = ("connection", "keep-alive", "transfer-encoding", "content-length", "host", "accept-encoding",
        "content-encoding")  # fmt: skip
"""Headers of one connection, and of a packing that a HAR has undone."""
_OF_A_BROWSER = ("sec-fetch-mode", "sec-fetch-site", "sec-fetch-dest")
_PAGES = ("pageref", "_initiator", "_resourceType")


def exchanges_of(calls: Sequence[Call], steps: Sequence[Step]) -> tuple[Exchange, ...]:
    """The exchanges of calls that hold a whole request and its answer, and that no step runs again."""
    run = {step.call for step in steps}
    found: list[Exchange] = []
    for call in calls:
        if call.id not in run and (one := _exchange(call, len(found) + 1)) is not None:
            found.append(one)
    return tuple(found)


def _exchange(call: Call, number: int) -> Exchange | None:
    asked, status = call.input, call.other.get("status")
    if not isinstance(asked, Mapping) or not isinstance(asked.get("url"), str) or not isinstance(status, int):
        return None
    method, url = str(asked.get("method") or "GET"), asked["url"].partition("#")[0]
    kind = kind_of(method, urlsplit(url).path)
    headers = asked["headers"] if isinstance(asked.get("headers"), Mapping) else {}
    if asked.get("form") or call.kind in ("vector", "sql") or (kind == "http" and _is_none(call, url, headers)):
        return None
    encoding, body = _written(asked.get("body"))
    error = None
    if status == 0:  # nothing was answered: a browser or a proxy says so in a member of its own
        error = next((said for name in _ERRORS if isinstance(said := call.other.get(name), str) and said), "no answer")
    answer = call.other.get("stream", call.output)
    packed = call.other.get("content.encoding") == "base64"
    answer_encoding, answer = ("base64", answer) if packed else _written(answer)
    try:
        return Exchange.model_validate({
            "id": f"exchange-{number}", "kind": kind, "call": call.id, "method": method, "url": url,
            "headers": _kept(headers), "encoding": encoding, "body": body, "status": status or 200, "error": error,
            "answer_headers": _kept(call.other.get("response.headers")), "answer_encoding": answer_encoding,
            "answer": answer, "began": call.began, "seconds": call.seconds,
        })  # fmt: skip
    except ValidationError:
        return None


_ERRORS = ("response._error", "_error", "response.statusText", "response.comment")


def _is_none(call: Call, url: str, headers: Mapping[str, Any]) -> bool:
    """Whether a request that is of no known operation is the browser's own, or one to a vector store."""
    names = {str(name).lower() for name in headers}
    return (
        not names.isdisjoint(_OF_A_BROWSER)
        or any(name in call.other for name in _PAGES)
        or urlsplit(url).path.startswith("/collections/")
    )


def _kept(headers: Any) -> dict[str, str]:
    """Headers without those that let somebody in, HTTP/2's own, and those that say how the bytes went."""
    return {
        str(name): str(value)
        for name, value in (headers.items() if isinstance(headers, Mapping) else ())
        if value != "***" and not str(name).startswith(":") and str(name).lower() not in _HOP
    }


def _written(value: Any) -> tuple[Encoding, Any]:
    if value in (None, ""):
        return "text", None
    return ("text", value) if isinstance(value, str) else ("json", value)
