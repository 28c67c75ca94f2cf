"""Records by project; a damaged one is a value, and nobody's."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

import pytest

from envclone import attestation, records
from envclone.errors import UnsafeError, UsageError
from envclone.models import Branch, BranchState, Consistency, Image, RawSnapshot
from envclone.pool import Pool, catalog

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def raw(pool: Pool, ident: str, project: str, *, at: dt.datetime = NOW) -> RawSnapshot:
    one = RawSnapshot(ident, "prod", at, {}, Consistency.SINGLE, project=project)
    place = pool.path_of("raw", ident)
    place.mkdir()
    pool.write_json(place / catalog.SNAPSHOT, records.dump(one))
    return one


def image(pool: Pool, ident: str, of: RawSnapshot) -> Image:
    one = Image(ident, "prod", NOW, of, "rules", "key", project=of.project)
    place = pool.path_of("images", ident)
    place.mkdir()
    attestation.seal(place, {"image": records.dump(one)}, pool.path_of("keys", ""))
    return one


def branch(pool: Pool, name: str, project: str) -> Branch:
    one = Branch(name, "prod", "img-1", BranchState.RUNNING, NOW, None, {}, project=project)
    place = pool.path_of("branches", name)
    place.mkdir()
    pool.write_json(place / catalog.BRANCH, records.dump(one))
    return one


def test_each_project_sees_its_own(pool: Pool) -> None:
    older, newer = raw(pool, "prod-2", "a", at=NOW - dt.timedelta(hours=1)), raw(pool, "prod-1", "a")
    theirs = raw(pool, "prod-3", "b")
    mine = image(pool, "img-1", newer)
    image(pool, "img-2", theirs)
    one = branch(pool, "one", "a")
    branch(pool, "two", "b")
    assert catalog.snapshots(pool, "a") == [older, newer]
    assert catalog.images(pool, "a") == [mine]
    assert catalog.branches(pool, "a") == [one]
    assert catalog.snapshots(pool, "nobody") == catalog.images(pool, "nobody") == catalog.branches(pool, "nobody") == []
    assert list(catalog.flaws(pool)) == []


def test_asked_for_by_id_it_is_said_whose_it_is(pool: Pool) -> None:
    image(pool, "img-1", raw(pool, "prod-1", "b"))
    branch(pool, "one", "b")
    for read, ident in ((catalog.snapshot, "prod-1"), (catalog.image, "img-1"), (catalog.branch, "one")):
        assert read(pool, "b", ident).project == "b"
        with pytest.raises(UsageError, match="belongs to the project 'b', and this is 'a'"):
            read(pool, "a", ident)
        with pytest.raises(UsageError, match="there is no"):
            read(pool, "a", "nothing")
    assert catalog.owner(pool, "branches", "one") == "b"
    assert catalog.owner(pool, "branches", "nothing") is None


def test_what_names_no_project_is_nobody_s(pool: Pool) -> None:
    image(pool, "img-1", raw(pool, "prod-1", ""))
    branch(pool, "one", "")
    found = list(catalog.flaws(pool))
    assert [(one.kind, one.id, one.older) for one in found] == [
        ("raw", "prod-1", True), ("images", "img-1", True), ("branches", "one", True),
    ]  # fmt: skip
    assert catalog.snapshots(pool, "") == [], "no project has an empty name"
    assert catalog.owner(pool, "branches", "one") == ""
    with pytest.raises(UnsafeError, match="an older envclone made it") as caught:
        catalog.image(pool, "a", "img-1")
    assert caught.value.hint == "envclone gc --older removes it"
    with pytest.raises(UnsafeError) as caught:
        catalog.branch(pool, "a", "one")
    assert caught.value.hint == "envclone rm --force one"


@pytest.mark.parametrize("text", ["{", "[]", "null", "7", '{"id": "prod-1"}', "\udcff", '"' * 3, "{}"])
def test_a_damaged_record_is_a_flaw(pool: Pool, text: str) -> None:
    sound = raw(pool, "prod-2", "a")
    raw(pool, "prod-1", "a")
    (pool.path_of("raw", "prod-1") / catalog.SNAPSHOT).write_text(text, errors="surrogateescape")
    assert catalog.snapshots(pool, "a") == [sound]
    (flaw,) = catalog.flaws(pool)
    assert (flaw.kind, flaw.id, flaw.older) == ("raw", "prod-1", False)
    assert str(flaw.path) in flaw.remedy
    with pytest.raises(UnsafeError, match="cannot be used"):
        catalog.snapshot(pool, "a", "prod-1")


def test_a_copied_record_is_a_flaw(pool: Pool) -> None:
    raw(pool, "prod-1", "a")
    raw(pool, "prod-2", "a")
    content = (pool.path_of("raw", "prod-1") / catalog.SNAPSHOT).read_bytes()
    (pool.path_of("raw", "prod-2") / catalog.SNAPSHOT).write_bytes(content)
    (flaw,) = catalog.flaws(pool)
    assert flaw.reason == "its record is that of 'prod-1'"


def test_an_altered_attestation_is_a_flaw(pool: Pool) -> None:
    one = image(pool, "img-1", raw(pool, "prod-1", "b"))
    path: Path = pool.path_of("images", "img-1") / attestation.ATTESTATION
    statement = json.loads(path.read_text())
    statement["image"] = records.dump(replace(one, project="a"))  # somebody takes another project's image for his own
    path.write_text(json.dumps(statement))
    assert catalog.images(pool, "a") == []
    (flaw,) = catalog.flaws(pool, "images")
    assert "was altered" in flaw.reason


def test_what_is_being_made_or_removed_is_no_flaw(pool: Pool) -> None:
    with pool.owning("branches", "new") as place:
        place.mkdir()
        assert list(catalog.flaws(pool)) == []
    assert [one.id for one in catalog.flaws(pool)] == ["new"]
