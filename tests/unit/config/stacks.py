"""Stack files for these tests, and a schema validator that knows the few keywords our schema uses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from envclone.config.load import LoadedStack, load
from envclone.errors import ConfigError

FULL = """\
version: 1
project: acme
pool: {path: ~/pool, driver: auto}

environments:
  prod:
    stores:
      main:
        kind: postgres
        source: {method: physical, dsn: "${PROD_PG_DSN?a DSN with REPLICATION}"}
        image: pgvector/pgvector:pg18
        profile: prod-postgres
        settings: {jit: off, max_connections: 50, work_mem: 64MB}
      kb:
        kind: qdrant
        source: {method: snapshot, url: "${PROD_QDRANT_URL}", api_key: "${PROD_QDRANT_KEY:-}"}
        collections: [articles]
      old:
        kind: postgres
        source: {method: directory, path: data/pg}
    services:
      api:
        image: registry.example/acme/api@sha256:0123
        environment: {DATABASE_URL: "${stores.main.url}", KEY: "${API_KEY}", PORT: 8000, PRICE: "$$5", DEBUG: no}
        ports: [8000]
        command: [serve]
        healthcheck: {path: /healthz, interval: 1s}
        depends_on: [main, worker]
      worker:
        image: registry.example/acme/worker
    models:
      embedding: {name: text-embedding-3-small, dimensions: 1536}

sanitize:
  undeclared: fail
  domains:
    email: {kind: email, unique: true}
    customer: {kind: person}
    gone: {kind: null}
  rules:
    main:
      public.customers.full_name: customer
      public.customers.email: email
      public.customers.note: null
      public.customers.phone: phone
      public.tickets.body: text
      public.tickets.embedding: {vectors: keep}
      public.events.payload: {"$.user.email": email, "$.contacts[*].phone": phone, $.secret: null}
      public.products.*: keep
    kb:
      articles.author.email: email
      articles.vectors: keep
      articles.point_ids: keep
  references: ["kb.articles.ticket_id -> main.public.tickets.id"]
  hooks: [hooks/support.py, /etc/after.sql]

incidents: inc/
branches: {ttl: 1h30m, max: "${MAX_BRANCHES:-7}"}
quarantine: {keep: 2, max_age: 2d}
"""

SMALL = """\
version: 1
project: acme
environments:
  prod:
    stores:
      main:
        kind: postgres
        source: {method: directory, path: data}
"""


def write(directory: Path, text: str, name: str = "envclone.yaml") -> Path:
    """A stack file in a directory."""
    path = directory / name
    path.write_text(text, encoding="utf-8")
    return path


def loaded(directory: Path, text: str, env: Mapping[str, str] | None = None) -> LoadedStack:
    """A stack file, loaded in an environment that holds nothing else."""
    return load(write(directory, text), env or {})


def problems(directory: Path, text: str, env: Mapping[str, str] | None = None) -> list[str]:
    """What is wrong with a stack file, without the directory's name; each problem is one line."""
    with pytest.raises(ConfigError) as caught:
        loaded(directory, text, env)
    assert caught.value.exit_code == 3
    found = [problem.replace(f"{directory}/", "") for problem in caught.value.problems]
    assert found
    assert all("\n" not in problem for problem in found)
    return found


def accepts(schema: Mapping[str, Any], value: Any, root: Mapping[str, Any] | None = None) -> bool:
    """Whether a JSON Schema accepts a value; an unknown keyword is an error, not a pass."""
    root = root or schema
    types = {
        "object": dict, "array": list, "string": str, "null": type(None),
        "boolean": bool, "integer": int, "number": (int, float),
    }  # fmt: skip
    for keyword, wanted in schema.items():
        match keyword:
            case "$ref":
                good = accepts(root["$defs"][wanted.rsplit("/", 1)[1]], value, root)
            case "anyOf":
                good = any(accepts(alternative, value, root) for alternative in wanted)
            case "oneOf":
                good = sum(accepts(alternative, value, root) for alternative in wanted) == 1
            case "exclusiveMinimum":
                good = not isinstance(value, int | float) or value > wanted
            case "type":
                good = isinstance(value, types[wanted]) and not (wanted == "integer" and isinstance(value, bool))
            case "const":
                good = value == wanted
            case "enum":
                good = value in wanted
            case "pattern":
                good = not isinstance(value, str) or re.search(wanted, value) is not None
            case "minLength":
                good = not isinstance(value, str) or len(value) >= wanted
            case "minItems" | "minProperties":
                good = not isinstance(value, list | dict) or len(value) >= wanted
            case "maxItems":
                good = not isinstance(value, list) or len(value) <= wanted
            case "minimum":
                good = not isinstance(value, int) or value >= wanted
            case "maximum":
                good = not isinstance(value, int) or value <= wanted
            case "required":
                good = not isinstance(value, dict) or set(wanted) <= set(value)
            case "items":
                good = not isinstance(value, list) or all(accepts(wanted, item, root) for item in value)
            case "propertyNames":
                good = not isinstance(value, dict) or all(accepts(wanted, key, root) for key in value)
            case "properties" | "patternProperties" | "additionalProperties":
                good = not isinstance(value, dict) or _properties(schema, value, root)
            case "$schema" | "$defs" | "title" | "description" | "default" | "examples" | "format" | "writeOnly":
                good = True
            case _:
                raise AssertionError(f"unknown keyword {keyword}")
        if not good:
            return False
    return True


def _properties(schema: Mapping[str, Any], value: Mapping[str, Any], root: Mapping[str, Any]) -> bool:
    for key, item in value.items():
        shapes = [schema["properties"][key]] if key in schema.get("properties", {}) else []
        shapes += [shape for pattern, shape in schema.get("patternProperties", {}).items() if re.search(pattern, key)]
        rest = schema.get("additionalProperties", True)
        if not shapes and rest is not True:
            shapes = [rest] if rest else []
            if not shapes:
                return False
        if not all(accepts(shape, item, root) for shape in shapes):
            return False
    return True
