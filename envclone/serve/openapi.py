"""The table of routes as a document of OpenAPI 3.1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter

from envclone import __version__
from envclone.serve.api import PREFIX, Operation
from envclone.serve.asked import PLACES

__all__ = ["document"]

_REF = "#/components/schemas/{model}"
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["type", "message", "hint", "exit_code", "status"],
            "properties": {
                "type": {"type": "string"},
                "message": {"type": "string"},
                "hint": {"type": ["string", "null"]},
                "exit_code": {"type": "integer"},
                "status": {"type": "integer"},
            },
        }
    },
}
_REFUSALS = {
    "400": "It cannot be meant",
    "401": "No token, or one that is not valid",
    "403": "The role does not allow it",
    "404": "There is no such thing for the caller",
    "405": "It cannot be done here",
    "409": "Its state does not allow it, or somebody holds it",
    "410": "It was handed out before",
    "413": "Too much was sent",
    "422": "The stack file does not allow it",
    "429": "A rate or a quota is used up",
    "502": "A source or server could not be reached",
    "503": "The host cannot give it",
}


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """The document."""
    schemas: dict[str, Any] = {"Error": _ERROR}
    paths: dict[str, Any] = {}
    for one in operations:
        paths.setdefault(PREFIX + one.path, {})[one.method.lower()] = _operation(one, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "envclone",
            "version": __version__,
            "description": "Branches, incidents, replays for a team.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _operation(one: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": one.name,
        "summary": one.summary,
        "description": f"Takes the role {one.least}.",
        "parameters": [*_in_path(one.path), *_in_query(one, schemas)],
        "responses": {
            str(one.status): _good(one, schemas),
            **{
                status: {
                    "description": said,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
                }
                for status, said in _REFUSALS.items()
            },
        },
    }
    if one.body is not None:
        schema = _schema(one.body, schemas, "validation")
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return found


def _good(one: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    if one.stream:
        return {"description": one.summary, "content": {"text/event-stream": {}}}
    return {
        "description": one.summary,
        "content": {"application/json": {"schema": _schema(one.result, schemas, "serialization")}},
    }


def _schema(of: Any, schemas: dict[str, Any], mode: Any) -> dict[str, Any]:
    made = TypeAdapter(of).json_schema(mode=mode, ref_template=_REF)
    schemas.update(made.pop("$defs", {}))
    if "title" in made and made.get("type") == "object" and "properties" in made:
        schemas[made["title"]] = made
        return {"$ref": _REF.format(model=made["title"])}
    return dict(made)


def _in_path(path: str) -> list[dict[str, Any]]:
    names = [word[1:-1] for word in path.split("/") if word.startswith("{")]
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "pattern": PLACES[name]}}
        for name in names
    ]


def _in_query(one: Operation, schemas: dict[str, Any]) -> list[dict[str, Any]]:
    made = TypeAdapter(one.query).json_schema(mode="validation", ref_template=_REF)
    schemas.update(made.get("$defs", {}))
    return [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in made.get("properties", {}).items()
    ]
