"""The JSON Schema (draft 2020-12) of a bundle, for editors that complete and check while one types."""

from __future__ import annotations

from typing import Any

from envclone.incidents.bundle import Incident

__all__ = ["json_schema"]

_MANY = (("VectorStep", "prefetch", "Prefetch"), ("Prefetch", "prefetch", "Prefetch"), ("Query", "context", "Context"),
         ("Discover", "context", "Context"))  # fmt: skip
"""Lists that are written as one thing when there is one."""


def json_schema() -> dict[str, Any]:
    """The schema of a bundle as an editor should apply it, with the other spellings that a step may have."""
    schema = Incident.model_json_schema(mode="validation")
    kinds = schema["$defs"]
    for model, field, one in _MANY:
        of = kinds[model]["properties"][field]
        list_of = {key: of.pop(key) for key in ("type", "items", "anyOf") if key in of}
        of["anyOf"] = [*list_of.get("anyOf", [list_of]), {"$ref": f"#/$defs/{one}"}]
    search = kinds["VectorStep"]["properties"]
    forms = [one for one in search["vector"]["anyOf"] if one != {"type": "null"}]
    search["query"]["anyOf"] += [*forms, {"type": "integer"}, {"type": "string"}]
    included = {"type": "object", "properties": {"include": {"type": "array", "items": {"type": "string"}}},
                "required": ["include"], "additionalProperties": False}  # fmt: skip
    search["with_payload"]["anyOf"].append(included)
    for name in ("settings", "local"):
        of = kinds["SqlStep"]["properties"][name]
        of["additionalProperties"] = {"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "boolean"}]}
    request = kinds["HttpStep"]
    service = request["properties"].get("service") or request["properties"].pop("store")
    request["properties"] |= {"service": service, "store": service}
    request["required"] = [one for one in request.get("required", ()) if one not in ("store", "service")]
    request["anyOf"] = [{"required": ["service"]}, {"required": ["store"]}]
    for name in ("SqlStep", "VectorStep", "HttpStep"):
        kinds[name]["required"] = ["kind", *kinds[name]["required"]]
    schema["properties"]["steps"]["items"].pop("discriminator")  # a word of OpenAPI's
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "envclone incident",
        **{key: _plain(value) for key, value in schema.items() if key != "title"},
    }


def _plain(shape: Any) -> Any:
    """The same shape without the titles that only repeat a field's name."""
    if isinstance(shape, list):
        return [_plain(one) for one in shape]
    if not isinstance(shape, dict):
        return shape
    return {key: _plain(one) for key, one in shape.items() if key != "title" or not isinstance(one, str)}
