"""A trace by its id, out of the API of the tool that keeps it: `langfuse:ID`, `langsmith:ID`, `phoenix:ID`.

Addresses and keys are the variables that the tools' own clients read; none is ever an argument. Sources: Langfuse's
`GET /api/public/traces/ID` and `GET /api/public/v2/observations`, LangSmith's `POST /api/v1/runs/query`, Phoenix'
`GET /v1/projects/NAME/spans`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from envclone.errors import ConfigError, UnreachableError, UsageError
from envclone.incidents.traces.web import Api, Refused

__all__ = ["SOURCES", "documents_of", "named"]

MOST = 20_000
"""Spans of one incident."""
_PAGES = 2_000
_GONE = (404, 405, 410, 501)
_CUT = 200
"""Characters at which Langfuse cuts a value of metadata."""
_FIELDS = "core,basic,time,io,metadata,model,usage,prompt,metrics,trace_context"


def named(text: str) -> tuple[str, str] | None:
    """The tool and the trace that an argument names; None for anything else, such as a file."""
    match = re.fullmatch(rf"({'|'.join(SOURCES)}):([A-Za-z0-9][A-Za-z0-9_.-]{{0,199}})", text)
    return (match[1], match[2]) if match else None


def documents_of(tool: str, ident: str, environment: Mapping[str, str]) -> list[Any]:
    """The documents of a trace, as an export of it has them.

    Raises UsageError for a variable that is not set and a trace that is not there, UnreachableError when the tool does
    not answer.
    """
    found = SOURCES[tool](ident, environment)
    if not found:
        raise UsageError(f"{tool} has no trace {ident}", hint="is it of the project whose keys are set?")
    return found


def _langfuse(ident: str, environment: Mapping[str, str]) -> list[Any]:
    """The trace with its observations; where that is gone (from version 4 on), the observations by pages."""
    public = _needed(environment, "LANGFUSE_PUBLIC_KEY")
    login = base64.b64encode(f"{public}:{_needed(environment, 'LANGFUSE_SECRET_KEY')}".encode()).decode()
    url, variable = _url(environment, ("LANGFUSE_HOST", "LANGFUSE_BASE_URL"), "https://cloud.langfuse.com")
    api = Api(url, variable, {"Authorization": f"Basic {login}"})
    trace: Any = None
    try:
        trace = api.ask(f"/api/public/traces/{quote(ident, safe='')}")
    except Refused as exc:
        if exc.status not in _GONE:
            raise
    inside = trace.get("observations") if isinstance(trace, Mapping) else None
    if isinstance(inside, list) and all(isinstance(one, Mapping) for one in inside) and inside:
        return [{"trace": {key: one for key, one in trace.items() if key != "observations"}, "observations": inside}]
    asked: dict[str, Any] = {"traceId": ident, "fields": _FIELDS, "limit": 1000}
    try:
        observations = list(_pages(api, "/api/public/v2/observations", asked, ("meta", "cursor")))
        if cut := sorted(_cut(observations)):
            whole = {**asked, "expandMetadata": ",".join(cut)}
            observations = list(_pages(api, "/api/public/v2/observations", whole, ("meta", "cursor")))
    except Refused as exc:
        if exc.status not in _GONE:
            raise
        observations = []
    if not observations:
        return [{"trace": dict(trace), "observations": []}] if isinstance(trace, Mapping) and trace.get("id") else []
    return [{"trace": dict(trace or {}), "observations": observations}]


def _cut(observations: list[Any]) -> set[str]:
    """The names of metadata whose values may have been cut."""
    found = set()
    for one in observations:
        metadata = one.get("metadata")
        for key, value in metadata.items() if isinstance(metadata, Mapping) else ():
            if isinstance(value, str) and len(value) >= _CUT and "," not in key:
                found.add(key)
    return found


def _langsmith(ident: str, environment: Mapping[str, str]) -> list[Any]:
    headers = {"x-api-key": _needed(environment, "LANGSMITH_API_KEY")}
    url, variable = _url(environment, ("LANGSMITH_ENDPOINT",), "https://api.smith.langchain.com")
    api = Api(url, variable, headers)
    runs: list[Any] = []
    body: dict[str, Any] = {"trace": ident, "limit": 100}
    for _ in range(_PAGES):
        page = api.ask("/api/v1/runs/query", body=body)
        runs += _objects(page, "runs")
        _bounded(runs)
        following = (page.get("cursors") or {}).get("next") if isinstance(page.get("cursors"), Mapping) else None
        if not following or following == body.get("cursor"):
            break
        body = {**body, "cursor": following}
    return [{"runs": runs}] if runs else []


def _phoenix(ident: str, environment: Mapping[str, str]) -> list[Any]:
    key = environment.get("PHOENIX_API_KEY")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    url, variable = _url(environment, ("PHOENIX_HOST", "PHOENIX_COLLECTOR_ENDPOINT"), "http://localhost:6006")
    project = quote(environment.get("PHOENIX_PROJECT_NAME") or "default", safe="")
    api = Api(url, variable, headers)
    asked: dict[str, Any] = {"trace_id": ident, "limit": 1000}
    spans = []
    for one in _pages(api, f"/v1/projects/{project}/spans", asked, ("next_cursor",)):
        context = one.get("context")
        if isinstance(context, Mapping) and context.get("trace_id") == ident:  # an older server gives all traces
            spans.append(one)
    return [{"data": spans}] if spans else []


def _pages(api: Api, path: str, asked: Mapping[str, Any], cursor: tuple[str, ...]) -> Iterator[Mapping[str, Any]]:
    """The objects of all pages; where the next one begins stands in an answer under `cursor`."""
    query, count = dict(asked), 0
    for _ in range(_PAGES):
        page = api.ask(path, query)
        found = _objects(page, "data")
        count += len(found)
        _bounded(range(count))
        yield from found
        following: Any = page
        for key in cursor:
            following = following.get(key) if isinstance(following, Mapping) else None
        if not isinstance(following, str | int) or not following or following == query.get("cursor") or not found:
            return
        query["cursor"] = following


def _objects(page: Any, name: str) -> list[Any]:
    found = page.get(name) if isinstance(page, Mapping) else None
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        raise UnreachableError(f"the answer has no list of {name}", hint="is the address that of the tool's API?")
    return found


def _bounded(found: Any) -> None:
    if len(found) > MOST:
        raise ConfigError(f"the trace has more than {MOST:,} spans", hint="export the failing request alone")


def _needed(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "").strip()
    if not value:
        raise UsageError(f"{name} is not set", hint="it is read from the environment alone, never from an argument")
    return value


def _url(environment: Mapping[str, str], names: tuple[str, ...], usual: str) -> tuple[str, str]:
    for name in names:
        if environment.get(name, "").strip():
            return environment[name].strip(), name
    return usual, names[0]


SOURCES: Mapping[str, Callable[[str, Mapping[str, str]], list[Any]]] = {
    "langfuse": _langfuse, "langsmith": _langsmith, "phoenix": _phoenix,
}  # fmt: skip
"""The tools that are asked, by the name before the colon."""
