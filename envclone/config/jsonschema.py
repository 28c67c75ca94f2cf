"""The stack file's JSON Schema (draft 2020-12), for editors that complete and check while one types."""

from __future__ import annotations

from typing import Any

from envclone.config.schema import StackFile

__all__ = ["json_schema"]

_VARIABLE = {"type": "string", "pattern": r"\$\{", "description": "A variable."}


def json_schema() -> dict[str, Any]:
    """The schema of `envclone.yaml` as an editor should apply it.

    It accepts what `load` accepts: `${VAR}` where a number, a choice or true/false stands, and an empty entry where
    there is a default.
    """
    schema = StackFile.model_json_schema(mode="validation")
    for definition in (schema, *schema.get("$defs", {}).values()):
        required = set(definition.get("required", ()))
        for name, field in definition.get("properties", {}).items():
            described = schema["$defs"].get(str(field.get("$ref", "")).rpartition("/")[2], {}).get("description")
            full = {"description": described, **field} if described else field
            definition["properties"][name] = _closed(_field(full, name in required))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "envclone stack file",
        **{key: value for key, value in schema.items() if key != "title"},
    }


def _field(field: dict[str, Any], required: bool) -> dict[str, Any]:
    annotations = {key: field[key] for key in ("description", "default", "examples") if key in field}
    shape = {key: value for key, value in field.items() if key not in annotations and key != "title"}
    alternatives = shape.pop("anyOf", None) or [shape]
    if any(_scalar(alternative) for alternative in alternatives):
        alternatives = [*alternatives, _VARIABLE]
    if not required and {"type": "null"} not in alternatives:
        alternatives = [*alternatives, {"type": "null"}]
    return {**annotations, **(alternatives[0] if len(alternatives) == 1 else {"anyOf": alternatives})}


def _closed(shape: Any) -> Any:
    """The same shape, in which a mapping whose names follow a pattern has no others."""
    if isinstance(shape, list):
        return [_closed(item) for item in shape]
    if not isinstance(shape, dict):
        return shape
    closed = {key: value if key in ("default", "examples") else _closed(value) for key, value in shape.items()}
    return {**closed, "additionalProperties": False} if "patternProperties" in shape else closed


def _scalar(shape: dict[str, Any]) -> bool:
    """Whether a text with a variable would be refused by this shape, and could be read by `load`."""
    if shape.get("type") in ("integer", "number", "boolean"):
        return True
    return "enum" in shape or "pattern" in shape
