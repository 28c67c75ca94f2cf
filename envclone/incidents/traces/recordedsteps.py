"""Recorded statements and searches: as calls with all that is known, and as steps where they can be run again."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from envclone.errors import UsageError
from envclone.incidents.bundle import Expected, SqlStep, Step
from envclone.incidents.calls import Call
from envclone.incidents.placeholders import standard
from envclone.incidents.record import explicit
from envclone.incidents.sql import Kind, tokens
from envclone.incidents.traces.recordedvalues import revived, rows_of
from envclone.incidents.traces.searches import plain, points, search
from envclone.incidents.traces.steps import Stores

__all__ = ["sql_call", "sql_step", "vector_call", "vector_steps"]

_READS = re.compile(r"\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*(select|with|table|values)\b", re.I | re.S)
_SETS = re.compile(r"\s*select\s+(?:pg_catalog\.)?set_config\s*\(", re.I)
_LOCKS = re.compile(r"\bfor\s+(?:no\s+key\s+update|update|key\s+share|share)\b", re.I)
_OF_DRIVER = re.compile(r"\bfrom\s+(?:pg_catalog\.)?pg_type\b|\bpg_catalog\.pg_", re.I)
"""A question of the driver's or a framework's, about types and tables."""
_NOT_SET = ("session_authorization", "client_encoding", "application_name")
_SQLSTATE = re.compile(r"[0-9A-Z]{5} ")


def sql_call(common: Mapping[str, Any], one: Mapping[str, Any]) -> Call:
    """A statement with everything that was recorded of it."""
    told = ("rowcount", "height", "cut", "streamed", "copied", "closed", "many", "cursor", "autocommit", "conn",
            "sqlstate", "status", "columns")  # fmt: skip
    settings = {**_mapping(one.get("settings")), **_mapping(one.get("local"))}
    return Call(
        **common, kind="sql", name=str(one.get("sql") or "").split(None, 1)[0][:60] if one.get("sql") else "",
        statement=str(one.get("sql") or ""), settings={**settings, "prepared": one.get("prepared")},
        input=revived(one.get("params")), output=one.get("rows"),
        other={"db.system.name": "postgresql", **{key: one[key] for key in told if one.get(key) is not None}},
    )  # fmt: skip


def sql_step(one: Mapping[str, Any], stores: Stores, number: int) -> list[Step]:
    """A statement that reads, with its parameters, settings and rows; nothing for one that cannot be run again, or
    whose answer is not known whole."""
    sql = str(one.get("sql") or "")
    if stores.postgres is None or not _again(sql) or one.get("many") is not None:
        return []
    parameters = revived(one.get("params"))
    connection = _mapping(one.get("conn"))
    settings = {key: str(value) for key, value in _mapping(one.get("settings")).items() if key not in _NOT_SET}
    local = {key: str(value) for key, value in _mapping(one.get("local")).items() if key not in _NOT_SET}
    try:
        standard("", sql, parameters)
        step = SqlStep.model_validate({
            "id": f"sql-{number}", "store": stores.postgres, "sql": sql, "parameters": parameters,
            "role": stores.role or connection.get("user"), "settings": settings, "local": local,
        })  # fmt: skip
        expect = _answer(one)
    except (UsageError, ValidationError, ValueError):
        return []
    return [] if expect is None else [explicit(step, expect)]  # a replay has nothing to hold a step without one to


def _again(sql: str) -> bool:
    """Whether a statement can be run again by itself: it reads, is one, locks nothing and is not the driver's own."""
    if not _READS.match(sql) or _SETS.match(sql) or _LOCKS.search(sql) or _OF_DRIVER.search(sql):
        return False
    pieces = [one for one in tokens(sql) if one.kind not in (Kind.SPACE, Kind.COMMENT)]
    return not any(one.text == ";" for one in pieces[:-1])


def _answer(one: Mapping[str, Any]) -> Expected | None:
    """What production answered; None when that is not known whole."""
    error = one.get("error")
    if isinstance(error, str):
        return Expected(error=error) if _SQLSTATE.match(error) else None
    columns, rows = one.get("columns"), one.get("rows")
    if not isinstance(columns, list) or not isinstance(rows, list):
        return None
    if not all(isinstance(each, list) and len(each) >= 3 and isinstance(each[1], int) for each in columns):
        return None
    found = rows_of(columns, rows)
    if found is None:
        return None
    return Expected(columns=tuple(str(each[0]) for each in columns), rows=tuple(map(tuple, found)))


def vector_call(common: Mapping[str, Any], one: Mapping[str, Any]) -> Call:
    """A search with its whole query and the points that it gave."""
    query = revived(one.get("query") or {})
    answer = one.get("answer")
    hits = [hit for each in points(answer) for hit in each]
    documents = [{"id": hit.get("id"), "score": hit.get("score"), "payload": _payload(hit)} for hit in hits]
    vector = plain(query.get("query", query.get("query_vector")))
    return Call(
        **common, kind="vector", name=str(one.get("method") or ""), input=query, documents=documents,
        vectors=[vector] if isinstance(vector, list) else [], settings=_mapping(query.get("search_params")),
        other={"db.system.name": "qdrant", "db.collection.name": query.get("collection_name"),
               "status": one.get("status")},
    )  # fmt: skip


def vector_steps(one: Mapping[str, Any], stores: Stores, number: int) -> list[Step]:
    """The searches of a call, with ids and scores; nothing for a form that cannot be asked again."""
    if stores.qdrant is None:
        return []
    said, method = revived(one.get("query") or {}), one.get("method")
    asked = [said]
    if method in ("query_batch_points", "search_batch"):
        asked = [{"collection_name": said.get("collection_name"), **each} for each in said.get("requests") or ()]
    elif method == "scroll":
        if said.get("offset") is not None:  # a later page begins at a point, not behind a number of them
            return []
        said = {"query_filter": {}, **{("query_filter" if k == "scroll_filter" else k): v for k, v in said.items()}}
        asked = [said]
    elif method not in ("query_points", "query_points_groups", "search", "search_groups"):
        return []
    answers: list[Any] = points(one.get("answer"))
    if method in ("query_points_groups", "search_groups"):
        answers = [[hit for group in answers for hit in group]]
    found: list[Step] = []
    for index, each in enumerate(asked):
        answer = answers[index] if index < len(answers) else None
        name = f"search-{number}" + (f"-{index + 1}" if len(asked) > 1 else "")
        if one.get("error") is None and answer is not None:  # a replay has nothing to hold a step without one to
            found += search(each, answer, stores.qdrant, name)
    return found


def _payload(hit: Mapping[str, Any]) -> Any:
    said = hit.get("payload")
    try:
        return json.loads(said) if isinstance(said, str) else said
    except (ValueError, RecursionError):
        return said


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
