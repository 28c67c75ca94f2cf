"""What Langfuse writes beside the traces that its page downloads, brought into their form.

Sources: its blob storage export and its tables (rows in snake_case, `repositories/observations.ts`), its lists of
traces, a session with its traces, and the batches that its SDKs send (`POST /api/public/ingestion`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from envclone.incidents.traces.span import loose

__all__ = ["KINDS", "as_langfuse"]

KINDS = frozenset(
    ["SPAN", "GENERATION", "EVENT", "AGENT", "TOOL", "CHAIN", "RETRIEVER", "EVALUATOR", "EMBEDDING", "GUARDRAIL"]
)
_OF_TRACES = ("sessionId", "userId", "release", "bookmarked", "htmlPath", "public", "observations")
_CREATED = re.compile(r"(trace|span|generation|event|score|observation|sdk|agent|tool|chain|retriever|evaluator"
                      r"|embedding|guardrail)-(create|update|log)")  # fmt: skip


def as_langfuse(documents: Sequence[Any]) -> dict[str, Any] | None:
    """`{traces, observations}`, with what stands beside them; None for documents that are none of these."""
    rows: list[Any] = []
    beside: dict[str, Any] = {}
    for document in documents:
        if isinstance(document, Mapping) and isinstance(document.get("batch"), list):
            made = _of_batch(document["batch"])
            if made is None:
                return None
            rows += made
            beside |= {key: one for key, one in document.items() if key != "batch"}
        elif isinstance(document, Mapping) and _listed(document) is not None:
            name = _listed(document) or ""
            rows += [{"sessionId": document.get("id"), **one} if name == "traces" else one for one in document[name]]
            beside |= {"session" if name == "traces" else "beside": {k: v for k, v in document.items() if k != name}}
        else:
            rows += document if isinstance(document, list) else [document]
    traces: list[Any] = []
    observations: list[Any] = []
    for row in map(_in_camel_case, rows):
        if _is_observation(row):
            observations.append(row)
        elif _is_trace(row):
            traces.append(row)
        elif isinstance(row, Mapping) and row.get("score") is True:
            beside.setdefault("scores", []).append(row)
        else:
            return None
    return {**beside, "traces": traces, "observations": observations} if traces or observations else None


def _listed(document: Mapping[str, Any]) -> str | None:
    """The name of the list of rows that a document is, when it is no trace itself."""
    for name in ("data", "traces"):
        found = document.get(name)
        if isinstance(found, list) and found and all(isinstance(one, Mapping) for one in found):
            of_session = name == "traces" and "projectId" in document
            if all(_is_trace({"sessionId": None, **one} if of_session else _in_camel_case(one)) for one in found):
                return name
    return None


def _is_observation(row: Any) -> bool:
    return isinstance(row, Mapping) and row.get("type") in KINDS and "traceId" in row


def _is_trace(row: Any) -> bool:
    named = isinstance(row, Mapping) and "id" in row and "timestamp" in row and "traceId" not in row
    return named and ("input" in row or "name" in row) and any(name in row for name in _OF_TRACES)


def _in_camel_case(row: Any) -> Any:
    """A row of a table with the names that the API has."""
    if not isinstance(row, Mapping) or not {"trace_id", "project_id", "session_id"} & row.keys():
        return row
    return {re.sub(r"_([a-z])", lambda part: part[1].upper(), key): one for key, one in row.items()}


def _of_batch(events: Sequence[Any]) -> list[Any] | None:
    """The records that events of an SDK make: what is updated adds to what was created."""
    records: dict[tuple[str, Any], dict[str, Any]] = {}
    for event in events:
        kind = _CREATED.fullmatch(str(event.get("type"))) if isinstance(event, Mapping) else None
        if kind is None:
            return None
        body, sort = loose(event.get("body")), kind[1]
        place = "trace" if sort == "trace" else "score" if sort in ("score", "sdk") else "observation"
        one = records.setdefault((place, body.get("id", len(records))), {})
        one |= {key: value for key, value in body.items() if value is not None}
        if place == "observation" and sort != "observation":
            one["type"] = sort.upper()
        elif place == "trace":
            one.setdefault("timestamp", event.get("timestamp"))
            one.setdefault("sessionId", None)
            one.setdefault("name", None)
        elif place == "score":
            one["score"] = True
    return list(_renamed(records.values()))


def _renamed(records: Any) -> Iterator[dict[str, Any]]:
    for one in records:
        usage = one.pop("usage", None)
        yield {**one, **({"usageDetails": usage} if usage and "usageDetails" not in one else {})}
