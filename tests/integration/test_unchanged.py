"""An image of an unchanged production is taken over from the last one, proof included; of a changed one never."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from envclone import attestation
from envclone.cow import extents
from envclone.errors import UnsafeError
from envclone.lifecycle import images, makers, publish, taken
from envclone.lifecycle.sanitize import Sanitized, sanitize
from envclone.models import Image, ProgressEvent, RawSnapshot
from envclone.project import Project
from tests.support.postgres import Production, production
from tests.support.qdrant import build
from tests.support.stack import Place, place

pytestmark = [pytest.mark.real, pytest.mark.root]

STACK = """\
version: 1
project: unchanged
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "@DSN@", database: app@MORE@}}
      kb: {kind: qdrant, source: {method: directory, path: "@KB@"}}
sanitize:
  domains: {email: {kind: email, unique: true}}
  fidelity: {minimum: @MINIMUM@}
  rules:
    main: {public.people.name: person, public.people.id: keep, public.people.story: text}
    kb: {articles.author.name: person, articles.author.email: email, articles.n: keep, articles.vectors: keep,
         articles.point_ids: keep}
"""
SQL = """
CREATE TABLE people (id int PRIMARY KEY, name text, story text);
INSERT INTO people SELECT i, 'Zanzibar Quux' || chr(97 + i % 26), 'as Zanzibar Quuxa said to him'
  FROM generate_series(1, 3000) i
"""


@pytest.fixture(scope="module")
def prod() -> Iterator[Production]:
    with production(18, {"summarize_wal": "on", "autovacuum": "off"}) as server:
        server.create_database("app")
        server.execute(SQL, "app")
        for database in ("app", "postgres", "template1"):
            server.execute("VACUUM (FREEZE, ANALYZE)", database)
        yield server


@pytest.fixture(scope="module")
def here(prod: Production) -> Iterator[Place]:
    with place() as made:
        build(made.directory / "kb", points=40, payload=payload, indexed=("author.email",))
        declare(made, prod)
        yield made


def payload(number: int) -> dict[str, Any]:
    return {
        "author": {"name": f"Zanzibar Quux{chr(97 + number % 26)}", "email": f"z{number}@corp.example"},
        "n": number,
    }


def declare(here: Place, prod: Production, more: str = "", minimum: str = "1.0") -> None:
    text = STACK.replace("@DSN@", prod.dsn_for("app")).replace("@KB@", str(here.directory / "kb"))
    here.write(text.replace("@MORE@", more).replace("@MINIMUM@", minimum))


def fresh(here: Place, told: list[str] | None = None, during: Callable[[], object] = lambda: None) -> Image:
    """A new image of a new snapshot; `told` takes what is said, `during` is done while production is copied."""
    said: list[str] = [] if told is None else told

    def progress(event: ProgressEvent) -> None:
        said.append(event.step)
        if said.count("copying main") == 1 and event.step == "copying main":
            during()

    with images.ready(replace(here.open().project, progress=progress), "prod", fresh=True) as image:
        return image


def statement(here: Place, image: Image) -> dict[str, Any]:
    return attestation.read(here.pool / "images" / image.id, here.open().project.keys)


@pytest.fixture(scope="module")
def proven(here: Place) -> Image:
    image = fresh(here)
    assert "taken_from" not in statement(here, image)
    return image


def test_it_is_taken_over_and_every_check_holds(here: Place, prod: Production, proven: Image) -> None:
    told: list[str] = []
    second = fresh(here, told)
    third = fresh(here)
    assert "masking" not in told
    shared = second.raw.stores["kb"].details["refresh"]
    assert shared["since"] == proven.raw.id and shared["bytes"] > 0.9 * second.raw.stores["kb"].bytes
    assert extents.usage(here.pool / "raw" / second.raw.id / "kb")[1] < 100_000
    for image, before, links in ((second, proven, 1), (third, second, 2)):
        said = statement(here, image)
        link = said["taken_from"]
        assert (link["image"], link["raw"], link["links"]) == (before.id, before.raw.id, links)
        assert link["attestation"] == attestation.digest(here.pool / "images" / before.id)
        assert set(link["compared"]) == {"main", "kb"}
        assert link["compared"]["main"]["read"] < 200_000 < link["compared"]["main"]["bytes"]
        assert json.loads(link["proof"]["statement"])["image"]["id"] == proven.id
        assert said["files"]["content"] == statement(here, proven)["files"]["content"]
        assert said["image"]["raw"]["id"] == image.raw.id != proven.raw.id
    done = here.open().verify(third.id)
    assert done.links == 2 and done.checks and not done.not_checked
    shown = here.call("attestation", third.id).stdout
    assert f"image {second.id}" in shown and "so its proof holds" in shown


def test_a_second_making_shows_that_what_was_taken_over_is_right(
    here: Place, prod: Production, proven: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = fresh(here)
    assert "taken_from" in statement(here, last)
    before = here.leftovers()
    done = json.loads(here.call("verify", last.id, "--full", "--json").stdout)
    assert done["again"].keys() == {"main", "kb"} and not done["not_checked"]
    assert all(not one["different"] for one in done["again"].values())
    for name, one in done["again"].items():
        image = here.pool / "images" / last.id / name
        size = sum(file.stat().st_size for file in image.rglob("*") if file.is_file() and not file.is_symlink())
        own = sum((image / file).stat().st_size for file in one["own"] if (image / file).exists())
        assert one["same"] + one["marked"] + one["sampled"] + one["built"] + own == size
        assert 0.3 * size < one["same"]
    of_postgres = {file.rpartition("/")[2] for file in done["again"]["main"]["own"] if "/pg_wal/" not in file}
    assert {file for file in of_postgres if not file.endswith("_vm")} <= {"pg_control", "pg_internal.init"}
    assert here.leftovers() == before
    path = prod.execute("SELECT pg_relation_filepath('people')", "app")[0][0]

    def otherwise(project: Project, raw: RawSnapshot, directory: Path) -> Sanitized:
        made = sanitize(project, raw, directory)
        table = directory / "main/data" / path
        content = bytearray(table.read_bytes())
        content[8000] ^= 1  # in the last row of the first page
        table.write_bytes(content)
        (payload,) = sorted(directory.glob("kb/**/payload_storage/page_0.dat"))[:1]
        payload.write_bytes(payload.read_bytes()[:-1] + b"1")
        return made

    monkeypatch.setattr("envclone.lifecycle.remade.sanitize", otherwise)
    with pytest.raises(UnsafeError, match="is not what its snapshot, its rules and its key make now") as found:
        here.open().verify(last.id, full=True)
    assert [line for line in found.value.problems if "public.people" in line and line.endswith("page 0")]
    assert [line for line in found.value.problems if line.startswith("kb: ") and "payload_storage" in line]
    assert len(found.value.problems) == 2 and here.leftovers() == before


def test_a_second_making_that_cannot_be_had_is_an_error(here: Place, proven: Image) -> None:
    refused = here.call("verify", proven.id, "--full", "--files", check=False)
    assert refused.returncode == 2 and "take one of them" in refused.stderr
    text = here.file.read_text()
    here.write(text.replace("public.people.story: text", "public.people.story: redact"))
    try:
        refused = here.call("verify", proven.id, "--full", check=False)
    finally:
        here.write(text)
    assert refused.returncode == 4 and f"envclone verify {proven.id}" in refused.stderr
    assert "cannot be made a second time: the stack file has other rules" in refused.stderr


def test_the_link_is_checked(here: Place, proven: Image) -> None:
    image = fresh(here)
    project, said = here.open().project, statement(here, image)
    assert taken.require_link(project, image.id, said) > 0
    link = said["taken_from"]
    text = link["proof"]["statement"]
    other = json.dumps({**json.loads(text), "checks": {}})
    wrong: list[dict[str, Any]] = [
        {**said, "taken_from": {**link, "proof": {**link["proof"], "statement": f"{text} "}}},
        {**said, "taken_from": {**link, "proof": {**link["proof"], "signature": "00"}}},
        {**said, "taken_from": {**link, "proof": {"statement": other, "signature": link["proof"]["signature"]}}},
        {**said, "taken_from": {}},
        {**said, "checks": {**said["checks"], "rows": {}}},
        {**said, "stores": {}},
        {**said, "made_by": {}},
        {**said, "files": {**said["files"], "content": "0" * 64}},
        {**said, "image": {**said["image"], "rules_digest": "0"}},
        {**said, "image": {**said["image"], "key_id": "0"}},
    ]
    for one in wrong:
        with pytest.raises(UnsafeError, match="not what it is said to be taken from"):
            taken.require_link(project, image.id, one)


@pytest.mark.parametrize("what", ["program", "exceptions", "full", "identities", "altered", "log", "point", "row"])
def test_nothing_is_taken_over_when_something_is_not_as_it_was(
    here: Place, prod: Production, proven: Image, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    last = here.open().images()[-1]
    during: Callable[[], object] = _nothing
    why = ""
    if what == "program":
        monkeypatch.setattr(makers, "program", lambda: "another")
    elif what == "exceptions":
        declare(here, prod, minimum="0.99")
    elif what == "full":
        declare(here, prod, ", refresh: full")
    elif what == "identities":
        (identities,) = (here.pool / "raw" / last.raw.id).glob("identities-*")
        identities.rename(identities.with_name("gone"))
    elif what == "altered":
        victim = next((here.pool / "images" / last.id / "main/data/base").glob("*/PG_VERSION"))
        victim.write_text("17\n")
        why = f"the file {victim.relative_to(here.pool / 'images' / last.id)} was altered"
    elif what == "log":
        declare(here, prod, ", max_rate: 4m")
        during = partial(prod.execute, "SELECT pg_logical_emit_message(false, 'x', 'y')", "app")
        why = r"main is not as it was: its log changes something \(LogicalMessage"
    elif what == "row":
        prod.execute("UPDATE people SET name = 'Zanzibar Quuxz' WHERE id = 9", "app")
        why = "main is not as it was: data/base/.* changed"
    else:
        with next((here.directory / "kb").rglob("payload_storage/page_0.dat")).open("r+b") as file:
            file.seek(-1, 2)
            file.write(b"\1")
        why = "kb is not as it was: .*page_0.dat changed"

    def refuse(*_: object, **__: object) -> None:
        raise UnsafeError("the long way")

    monkeypatch.setattr(publish, "sanitize", refuse)  # whatever makes an image again says so at once
    told: list[str] = []
    try:
        with pytest.raises(UnsafeError, match="the long way"):
            fresh(here, told, during)
    finally:
        declare(here, prod)
        if what == "identities":
            identities.with_name("gone").rename(identities)
        if what == "altered":
            shutil.rmtree(here.pool / "images" / last.id)
    assert not why or any(re.search(why, one) for one in told), told
    assert [name for name in here.leftovers() if not name.startswith(("raw/", "images/"))] == []


def _nothing() -> object:
    return None
