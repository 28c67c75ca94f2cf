"""What is written down comes back as it was; what was damaged is refused."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from envclone import records
from envclone.errors import UnsafeError
from envclone.models import (
    Branch,
    BranchState,
    Endpoint,
    FieldKind,
    FieldRule,
    JsonRule,
    Secret,
    StorePlan,
    StoreSnapshot,
)

NOW = dt.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=dt.UTC)
SNAPSHOT = StoreSnapshot("main", "postgres", "physical", "18.4", NOW, 1.5, 10, 2, "0/1", {"a": [1, {"b": None}]})


def test_round_trips() -> None:
    branch = Branch(
        name="prod-1",
        environment="prod",
        image="img-1",
        state=BranchState.RUNNING,
        created_at=NOW,
        expires_at=None,
        stores={"main": SNAPSHOT},
        endpoints={"main": Endpoint("main", "postgres", port=1, password=Secret("x"), socket=Path("/run/x"))},
    )
    assert records.load(Branch, records.dump(branch), what="it") == branch
    plan = StorePlan("main", {"t.c": FieldRule("t.c", FieldKind.JSON, "keep", (JsonRule("$.a", "email"),))})
    assert records.load(StorePlan, records.dump(plan), what="it") == plan


def test_damage_is_named() -> None:
    with pytest.raises(UnsafeError, match="the record of x is damaged: seconds"):
        records.load(StoreSnapshot, {**records.dump(SNAPSHOT), "seconds": "soon"}, what="the record of x")
