"""Records without a validation library: the same plain values, and every damage is named."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from envclone import plain, records
from envclone.errors import UnsafeError
from envclone.models import (
    Branch,
    BranchState,
    Consistency,
    Endpoint,
    FieldRule,
    Image,
    RawSnapshot,
    Secret,
    StoreSnapshot,
)

NOW = dt.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=dt.UTC)
STORE = StoreSnapshot("main", "postgres", "physical", "18.4", NOW, 1.5, 10, 2, "0/1", {"a": [1, {"b": None}], "c": []})
RAW = RawSnapshot("raw-1", "prod", NOW, {"main": STORE}, Consistency.SINGLE, 3, "shop")
IMAGE = Image("img-1", "prod", NOW.replace(microsecond=0), RAW, "d", "k", 0.5, "shop")
BRANCH = Branch(
    name="prod-1",
    environment="prod",
    image="img-1",
    state=BranchState.RUNNING,
    created_at=NOW.astimezone(dt.timezone(dt.timedelta(hours=2))),
    expires_at=None,
    stores={"main": STORE},
    endpoints={"main": Endpoint("main", "postgres", port=1, password=Secret("x"), socket=Path("/run/x"))},
    profiles={"main": {"cpus": 1.5, "settings": {"work_mem": "4MB"}}},
    degraded=("no cpu",),
    services=("api", "web"),
    ttl=60.0,
)


@pytest.mark.parametrize("value", [STORE, RAW, IMAGE, BRANCH], ids=lambda value: type(value).__name__)
def test_the_same_as_the_library(value: Any) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(type(value))
    written = json.loads(json.dumps(plain.dump(value)))
    assert written == adapter.dump_python(value, mode="json")
    assert plain.reader(type(value))(written) == adapter.validate_python(written)


DAMAGED = {
    "stores.main.seconds": "soon",
    "stores.main": [],
    "stores": "main",
    "state": "happy",
    "created_at": "yesterday",
    "expires_at": 5,
    "protected": 1,
    "pid": True,
    "services": "api",
    "services.0": None,
    "ttl": "60",
    "endpoints.main.port": "1",
    "endpoints.main.socket": 7,
    "name": None,
}


@pytest.mark.parametrize("where", list(DAMAGED))
def test_a_value_of_another_type_is_named(where: str) -> None:
    document = json.loads(json.dumps(records.dump(BRANCH)))
    *way, last = where.split(".")
    place = document
    for part in way:
        place = place[part]
    place[int(last) if last.isdigit() else last] = DAMAGED[where]
    with pytest.raises(UnsafeError, match=f"it is damaged: {where}: "):
        records.load(Branch, document, what="it")


@pytest.mark.parametrize("document", [None, [], "x", 5])
def test_what_is_no_record_is_named(document: Any) -> None:
    with pytest.raises(UnsafeError, match="it is damaged: the whole: must be a mapping"):
        records.load(Branch, document, what="it")


def test_what_is_missing_is_named() -> None:
    document = records.dump(BRANCH)
    del document["stores"]["main"]["kind"]
    with pytest.raises(UnsafeError, match=r"stores\.main\.kind: is missing"):
        records.load(Branch, document, what="it")


def test_what_a_newer_version_wrote_more_is_passed_over() -> None:
    assert records.load(Branch, {**records.dump(BRANCH), "colour": "red"}, what="it") == BRANCH


def test_other_types_are_not_known() -> None:
    with pytest.raises(plain.Unknown):
        plain.reader(frozenset[str])
    with pytest.raises(plain.Unknown):
        plain.dump({1, 2})


def test_a_rule_is_read_and_written() -> None:
    rule = FieldRule(
        "t.c", records.load(FieldRule, {"address": "t.c", "kind": "text", "domain": "email"}, what="it").kind, "email"
    )
    assert records.load(FieldRule, records.dump(rule), what="it") == rule


def test_no_validation_library_is_imported() -> None:
    code = (
        "import sys; from envclone import records; from envclone.models import Branch, Image;"
        " from envclone import plain; plain.reader(Branch); plain.reader(Image);"
        " assert 'pydantic' not in sys.modules and 'pydantic_core' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
