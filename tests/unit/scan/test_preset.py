from __future__ import annotations

import yaml

from envclone.models import Field, FieldKind, Inventory
from envclone.scan.preset import from_presets, presets_of, together
from envclone.scan.propose import Proposal
from envclone.scan.write import added


def _inventory(**columns: str) -> Inventory:
    fields = {}
    for column, base in columns.items():
        kind = {"jsonb": FieldKind.JSON, "bytea": FieldKind.OTHER, "vector": FieldKind.VECTOR}.get(base, FieldKind.TEXT)
        fields[f"public.checkpoint_blobs.{column}"] = Field(f"public.checkpoint_blobs.{column}", base, kind, base=base)
    return Inventory("main", fields)


BLOBS = _inventory(
    thread_id="text", checkpoint_ns="text", channel="text", version="text", type="text", blob="bytea", region="text"
)
ALL: dict[str, set[str]] = {address: {""} for address in BLOBS.fields}


def _scanned(column: str, domain: str) -> Proposal:
    return Proposal(f"public.checkpoint_blobs.{column}", "", "text", domain, 0.9, "looked at", "")


def test_a_table_of_a_preset_s_shape_gets_the_preset_s_rules() -> None:
    found = {one.address.rpartition(".")[2]: one for one in from_presets(BLOBS, {}, ALL)}
    assert {"thread_id": "key", "blob": "json", "channel": "keep"}.items() <= {
        column: one.domain for column, one in found.items()
    }.items()
    assert "region" not in found, "a column that the preset does not know is looked at"
    assert presets_of({"main": list(found.values())}) == ["langgraph"]


def test_a_rule_that_is_there_and_a_field_that_needs_none_are_left_alone() -> None:
    own = {"public.checkpoint_blobs.thread_id": "secret"}
    wanted = {address: paths for address, paths in ALL.items() if not address.endswith(".type")}
    found = {one.address.rpartition(".")[2] for one in from_presets(BLOBS, own, wanted)}
    assert "thread_id" not in found and "type" not in found and "blob" in found


def test_values_that_tell_of_somebody_by_their_form_outvote_keep() -> None:
    found = from_presets(BLOBS, {}, ALL)
    looked = [_scanned("channel", "email"), _scanned("version", "username"), _scanned("region", "keep")]
    its = {one.address.rpartition(".")[2]: one for one in together(found, looked, BLOBS)}
    assert (its["channel"].domain, its["channel"].preset) == ("email", "")
    assert (its["version"].domain, its["version"].preset) == ("keep", "langgraph"), "a guess outvotes no preset"
    assert its["region"].domain == "keep" and its["region"].preset == ""


def _written(before: str) -> dict[str, object]:
    proposals = [*from_presets(BLOBS, {}, ALL), _scanned("region", "keep")]
    after = added(before, {"main": proposals})
    sanitize = yaml.safe_load(after)["sanitize"]
    assert sanitize["rules"]["main"] == {"public.checkpoint_blobs.region": "keep"}, "no rule beside the preset's"
    assert yaml.safe_load(after)["project"] == "p", after
    assert isinstance(sanitize, dict)
    return sanitize


def test_a_preset_is_written_by_its_name() -> None:
    for before in (
        "project: p\nsanitize:\n  undeclared: fail\n  rules:\n\nbranches: {max: 2}\n",
        "project: p\nsanitize:\n  rules:\n    main:\n",
        "project: p\nsanitize: {undeclared: fail}\n",
        "project: p\n",
    ):
        assert _written(before)["presets"] == ["langgraph"], before


def test_presets_that_are_named_already_stay() -> None:
    for before in (
        "project: p\nsanitize:\n  presets: [django]\n  rules:\n",
        "project: p\nsanitize:\n  presets:\n    - django\n  rules:\n",
        "project: p\nsanitize:\n  rules:\n  presets:\n  - django\n",
        "sanitize:\n  rules:\n  presets: [django, langgraph]  # ours\nproject: p\n",
    ):
        assert _written(before)["presets"] == ["django", "langgraph"], before
