from __future__ import annotations

import typing
from dataclasses import replace

import pytest

from envclone.config.base import Preset
from envclone.masking import presets, rules
from envclone.masking.presets import NAMES, recognized, rules_of
from envclone.models import Field, FieldKind, Inventory

_JSON = frozenset(
    (
        *(
            "checkpoint",
            "metadata",
            "cmetadata",
            "metadata_",
            "payload",
            "chat",
            "meta",
            "settings",
            "info",
            "messages",
        ),
        *("response", "input", "output", "proxy_server_request", "billing_details", "payment_method_details"),
    )
)
_VECTORS = frozenset(("embedding", "vector"))


def shape(table: str, columns: list[str]) -> Inventory:
    fields = {}
    for column in columns:
        address = f"public.{table}.{column}"
        if column in _VECTORS:
            fields[address] = Field(address, "vector(3)", FieldKind.VECTOR)
        elif column in _JSON and table != "sessions":
            fields[address] = Field(address, "jsonb", FieldKind.JSON, base="jsonb")
        elif column == "blob":
            fields[address] = Field(address, "bytea", FieldKind.OTHER, base="bytea")
        else:
            fields[address] = Field(address, "text", FieldKind.TEXT, base="text")
    return Inventory("main", fields)


SHAPES = [(name, one.table.replace("*", "x"), list(one.rules)) for name in NAMES for one in presets._shapes()[name]]


@pytest.mark.parametrize(("name", "table", "columns"), SHAPES, ids=[f"{name}-{table}" for name, table, _ in SHAPES])
def test_a_table_of_the_shape_needs_no_other_rule(name: str, table: str, columns: list[str]) -> None:
    inventory = shape(table, columns)
    found, sources = rules_of([name], inventory, {})
    plan = rules.plan(found, {}, inventory)
    assert set(plan.rules) == set(inventory.fields)
    assert set(sources.values()) == {name}


def test_a_person_s_own_rule_wins_also_one_for_many_tables() -> None:
    inventory = shape("auth_user", ["id", "password", "username", "first_name", "last_name", "email"])
    own = {"public.auth_user.email": "redact", "public.*.password": "null"}
    found, sources = rules_of(["django"], inventory, own)
    assert found == {
        "public.auth_user.id": "keep",
        "public.auth_user.username": "username",
        "public.auth_user.first_name": "person",
        "public.auth_user.last_name": "person",
    }
    assert "public.auth_user.email" not in sources


def test_a_table_of_another_shape_is_no_preset_s() -> None:
    inventory = shape("checkpoints", ["id", "name"])
    assert rules_of(["langgraph"], inventory, {}) == ({}, {})
    assert recognized(inventory) == []


def test_presets_are_recognized() -> None:
    inventory = shape("checkpoint_blobs", ["thread_id", "checkpoint_ns", "channel", "version", "type", "blob"])
    assert recognized(inventory) == ["langgraph"]


def test_the_schema_names_every_preset() -> None:
    assert set(typing.get_args(Preset)) == set(NAMES) == set(presets._shapes())


def test_a_path_that_no_document_has_is_no_error() -> None:
    inventory = shape("checkpoints", ["thread_id", "checkpoint_ns", "checkpoint_id", "checkpoint"])
    address = "public.checkpoints.checkpoint"
    for paths, rule in (
        (("$.v", "$.ts", "$.channel_versions.messages"), {"$.**": "keep"}),
        (("$.v", "$.channel_values.topic"), {"$.channel_values.**": "text", "$.**": "keep"}),
        ((), {"$.channel_values.**": "text", "$.**": "keep"}),
    ):
        fields = {**inventory.fields, address: replace(inventory.fields[address], paths=paths)}
        now = replace(inventory, fields=fields, rows={"public.checkpoints": 7 if paths else 0})
        found, _ = rules_of(["langgraph"], now, {})
        assert found[address] == rule
        rules.plan(found, {}, now)
