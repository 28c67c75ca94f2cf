"""A check that cannot fail is not a check: each step of sanitization is left out once, and no image may come of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from envclone.api import Stack
from envclone.errors import EnvcloneError, UnsafeError
from envclone.lifecycle import publish, sanitize, verify
from envclone.models import FieldRule
from envclone.pool import catalog
from tests.support.postgres import Production, production
from tests.support.qdrant import build
from tests.support.stack import Place, bytes_hold, place

STACK = """\
version: 1
project: guards
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "@DSN@", database: app}}
      kb: {kind: qdrant, source: {method: directory, path: "@KB@"}}
sanitize:
  domains: {email: {kind: email, unique: true}}
  rules:
    main:
      public.people.id: keep
      public.people.name: person
      public.people.email: email
      public.people.history: text
    kb:
      {articles.author.name: person, articles.author.email: email, articles.n: keep, articles.vectors: keep,
       articles.point_ids: keep}
  references: ["kb.articles.n <-> main.public.people.id"]
"""


@pytest.fixture(scope="module")
def prod() -> Iterator[Production]:
    with production(18) as server:
        server.create_database("app")
        server.execute(
            "CREATE TABLE people (id int PRIMARY KEY, name text, email text UNIQUE, history text);"
            "INSERT INTO people SELECT i, 'Zanzibar Quuxington' || chr(97 + i % 26),"
            " 'zanzibar.quux' || i || '@corp.example',"
            " repeat('Zanzibar Quuxington' || chr(97 + i % 26) || ' said hello. ', 1 + i * 3)"
            " FROM generate_series(0, 399) i;"
            "UPDATE people SET history = history || ' again';"
            "DELETE FROM people WHERE id >= 390; ANALYZE",
            "app",
        )
        yield server


@pytest.fixture(scope="module")
def here(prod: Production) -> Iterator[Place]:
    def payload(number: int) -> dict[str, Any]:
        person = f"Zanzibar Quuxington{chr(97 + number % 26)}"
        refers = number if number < 387 else 1000 + number  # points without a row, and rows without a point
        return {"author": {"name": person, "email": f"zanzibar.quux{number}@corp.example"}, "n": refers}

    with place() as made:
        build(made.directory / "storage", points=390, payload=payload, indexed=("author.email",))
        made.write(STACK.replace("@DSN@", prod.dsn_for("app")).replace("@KB@", str(made.directory / "storage")))
        made.open().snapshot("prod")
        yield made


@pytest.fixture
def stack(here: Place) -> Iterator[Stack]:
    opened = here.open()
    yield opened
    left = [one for one in here.leftovers() if not one.startswith("raw/")]
    for one in left:  # a test that fails is not to spoil the next one
        opened.project.cow.remove(here.pool / one)
    assert left == [], "a refused image leaves nothing"


def test_with_every_step_nobody_is_left(here: Place) -> None:
    stack = here.open()
    image = stack.image("prod")
    needles = [b"Zanzibar", b"zanzibar", b"Quuxington", b"corp.example"]
    assert bytes_hold(here.pool / "images" / image.id, needles) == {}
    checks = json.loads((here.pool / "images" / image.id / "attestation.json").read_text())["checks"]
    assert checks["files"]["residue_hits"] == 0
    assert checks["files"]["values_searched"] > 390
    (counts,) = checks["references"]
    assert (counts["dangling"], counts["dangling_in_production"], sorted(counts["examples"])) == (
        *(3, 3), ["1387", "1388", "1389"],
    )  # fmt: skip
    assert (counts["unreferenced"], sorted(counts["unreferenced_examples"])) == (3, ["387", "388", "389"])
    stack.project.cow.remove(here.pool / "images" / image.id)


def _nothing(*arguments: Any, **options: Any) -> tuple[()]:
    return ()


def _nobody(pages: Any, items: Any, transactions: Any) -> Any:
    return np.zeros(len(items), dtype=np.bool_)


@pytest.mark.parametrize(
    ("step", "instead", "says"),
    [
        ("envclone.stores.postgres.scrub.residue.scrub", _nothing, "bytes of the files"),
        ("envclone.stores.qdrant.wal.empty", lambda shard: 0, "bytes of the files"),
        ("envclone.stores.postgres.scrub.blanks.dead", _nobody, "bytes of the files"),
    ],
)
def test_a_step_that_is_left_out_is_caught(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, step: str, instead: Callable[..., Any], says: str
) -> None:
    monkeypatch.setattr(step, instead)
    with pytest.raises(UnsafeError, match=says) as caught:
        stack.image("prod")
    assert "anzibar" not in f"{caught.value} {caught.value.problems} {caught.value.hint}"


def test_a_reference_that_is_not_followed_is_caught(stack: Stack, here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What refers to a masked field gets its rule; without that step it keeps the original, and refers to nobody."""
    from envclone.masking import references

    text = here.file.read_text()
    reference = "kb.articles.author.email -> main.public.people.email"
    here.write(
        text.replace("articles.author.email: email, ", "").replace("articles.n: keep", "articles.n: keep, '*': keep")
        .replace('references: ["', f'references: ["{reference}", "')
    )  # fmt: skip

    def left_out(references: Any, rules: Any, domains: Any, inventories: Any) -> Any:
        return {store: dict(its_rules) for store, its_rules in rules.items()}

    monkeypatch.setattr(references, "follow", left_out)
    try:
        with pytest.raises(UnsafeError, match="verification failed") as caught:
            here.open().image("prod")
    finally:
        here.write(text)
    assert f"{reference}: 390 dangle, 0 did in production" in caught.value.problems


def test_pages_without_their_checksums_are_caught(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(pages: Any, blocks: Any) -> Any:
        return np.zeros(len(pages), np.uint16)

    monkeypatch.setattr("envclone.stores.postgres.write.inplace.heap.page_checksums", none)
    with pytest.raises(EnvcloneError) as caught:
        stack.image("prod")
    assert re.search("DataCorrupted|checksum", f"{caught.value} {caught.value.problems}")


def test_what_a_copy_of_the_process_finds_in_the_files_is_told(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages are examined beside the rows; a finding there refuses the image, with all that it names."""

    def damaged(directory: object) -> dict[str, int]:
        raise UnsafeError("the clone's tables are damaged: 1 problems", problems=["app.people: page 3"], hint="look")

    monkeypatch.setattr("envclone.stores.postgres.prove.structure.examine", damaged)
    with pytest.raises(UnsafeError) as caught:
        stack.image("prod")
    assert "tables are damaged" in f"{caught.value} {caught.value.problems}"
    assert "app.people: page 3" in f"{caught.value} {caught.value.problems}"


@pytest.mark.parametrize("address", ["public.people.name", "public.people.email", "articles"])
def test_a_field_that_is_written_wrongly_is_caught(stack: Stack, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """The writer leaves one field as it was; the verifier, which asks the real masks, sees the difference."""
    from envclone.masking.masks import MaskSet

    real_field, real_verify = MaskSet.field, publish.verify

    def lazy(self: MaskSet, rule: FieldRule) -> Any:
        return list if rule.address == address else real_field(self, rule)

    def honest(*arguments: Any) -> Any:
        monkeypatch.setattr(MaskSet, "field", real_field)
        return real_verify(*arguments)

    monkeypatch.setattr(MaskSet, "field", lazy)
    monkeypatch.setattr(publish, "verify", honest)
    with pytest.raises(UnsafeError) as caught:
        stack.image("prod")
    assert any(address in problem for problem in caught.value.problems), caught.value.problems


def test_a_free_text_mask_that_misses_is_caught(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the mask itself is at fault, so the digests agree; the search for originals sees it."""
    from envclone.masking.freetext import FreeText

    monkeypatch.setattr(FreeText, "mask", lambda self, values: list(values))
    with pytest.raises(UnsafeError, match="original values of masked fields") as caught:
        stack.image("prod")
    assert any("main.public.people.history" in problem for problem in caught.value.problems)


def test_only_what_was_verified_can_be_published(stack: Stack) -> None:
    with pytest.raises(TypeError):
        sanitize.Sanitized(object(), "img-x", stack.project.pool.path, None, None, {})  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        verify.Verified(object(), None, {})  # type: ignore[arg-type]
    raw = catalog.snapshots(stack.project.pool, stack.project.name)[-1]
    for impostor in (raw, object(), None):
        with pytest.raises(UnsafeError, match="can be published"):
            publish.publish(stack.project, impostor)  # type: ignore[arg-type]


def test_a_row_that_moved_is_caught(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every value is as it must be, and one row is at another address."""
    from envclone.stores.postgres.session import PostgresSession

    real = PostgresSession.rewrite

    def moving(self: PostgresSession, *arguments: Any) -> Any:
        report = real(self, *arguments)
        with self._connect(autocommit=True) as conn:
            conn.execute("UPDATE public.people SET id = id WHERE id = 5")
        return report

    monkeypatch.setattr(PostgresSession, "rewrite", moving)
    with pytest.raises(UnsafeError, match="verification failed") as caught:
        stack.image("prod")
    assert "where a row lies" in str(caught.value.problems)


def test_another_answer_of_a_vector_index_is_caught_and_can_be_allowed(
    stack: Stack, here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three of a hundred questions find something else in the clone than in production."""
    from envclone.stores.qdrant.session import QdrantSession

    real, calls = QdrantSession.answers, []

    def other(self: QdrantSession, probes: Any, placed: Any) -> Any:
        calls.append(1)
        found = list(real(self, probes, placed))
        return found if len(calls) % 2 else [[["0", "0.5"]]] * 3 + found[3:]

    monkeypatch.setattr(QdrantSession, "answers", other)
    with pytest.raises(UnsafeError, match="verification failed") as caught:
        stack.image("prod")
    assert "97 of 100 questions" in str(caught.value.problems)
    text = here.file.read_text()
    try:
        here.write(text.replace("sanitize:", "sanitize:\n  fidelity: {minimum: 0.97}"))
        allowed = here.open()
        image = allowed.image("prod")
        assert image.fidelity == 0.97
        branch = allowed.branch("prod", name="off")
        assert branch.fidelity == 0.97
        assert "fidelity: 97.0%" in here.call("show", "off").stdout
        assert "97.0%" in here.call("images").stdout
        assert "97 of 100" in here.call("attestation", image.id).stdout
        allowed.remove("off")
        allowed.project.cow.remove(here.pool / "images" / image.id)
    finally:
        here.write(text)
