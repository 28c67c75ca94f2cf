"""A storage directory's first hour: the file that `init` writes makes an image, and what it lacks is told early."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import qdrant_edge as q

from envclone.config.schema import SourceConfig, StoreConfig
from envclone.models import Inventory
from envclone.stores.qdrant.store import QdrantStore
from tests.support.qdrant import Payload, Production, build, change
from tests.support.stack import Place, place


def _payload(number: int) -> Payload:
    person = ["Wolfhard Quenzelmann", "Brunhilda Drachsler", "Jessica Henderson", "Grace Moraleda"][number % 4]
    mail = f"{person.lower().replace(' ', '.')}{number}@q.example"
    return {
        "author": {"name": person, "email": mail, "phones": ["+49 30 901820", f"+49 30 {number:06d}"]},
        "text": f"A printer of {person} prints nothing, writes {mail}.",
        "lang": ["en", "de"][number % 2],
        "views": number,
    }


@pytest.fixture(scope="module")
def prod(tmp_path_factory: pytest.TempPathFactory) -> Production:
    made = build(tmp_path_factory.mktemp("prod") / "storage", points=300, payload=_payload, indexed=("author.email",))
    build(made.root, points=40, collection="notes", payload=_payload, indexed=())
    return made


@pytest.fixture
def here(prod: Production) -> Iterator[Place]:
    with place() as made:
        made.env["ENVCLONE_POOL"] = str(made.pool)
        made.call("init", "--project", "first", "--qdrant", f"{prod.root.parent}/../{prod.root.parent.name}/storage")
        yield made


def test_the_file_that_init_writes_makes_an_image_at_once(here: Place, prod: Production) -> None:
    text = here.file.read_text()
    assert f"path: {prod.root}\n" in text
    assert "notes.point_ids: keep" in text and "articles.vectors: {vectors: keep}" in text
    assert "every field has a rule" in here.call("scan", "prod", "--write").stdout
    assert here.file.read_text() == text
    assert "kb rules: ready" in here.call("doctor", "--env", "prod").stdout
    assert here.json("image", "prod", "--fresh")["id"].startswith("img-")


def test_what_the_rules_lack_is_told_before_anything_is_copied(here: Place) -> None:
    text = here.file.read_text()
    lines = [one for one in text.splitlines() if "articles.point_ids" not in one]
    (phones,) = [i for i, one in enumerate(lines) if "author.phones" in one][:1]
    here.file.write_text("\n".join([*lines[:phones], *lines[phones + 1 :]]) + "\n")
    before = here.leftovers()
    for told in (
        here.call("doctor", "--env", "prod").stdout,
        here.call("image", "prod", "--fresh", check=False).stderr,
    ):
        assert "the rules do not cover kb, and nothing was copied: 2 problems" in told
        assert "articles.point_ids (point ids) is undeclared" in told
        assert "the path $.author.phones[*] is undeclared" in told
    assert here.leftovers() == before


def _foreseen(root: Path) -> Inventory | None:
    config = StoreConfig(kind="qdrant", source=SourceConfig(method="directory", path=root))
    return QdrantStore().foreseen("kb", config)


def test_what_is_foreseen_is_what_a_copy_has(prod: Production) -> None:
    found = _foreseen(prod.root)
    assert found is not None
    assert found.fields.keys() == {f"{c}{f}" for c in ("articles", "notes") for f in ("", ".point_ids", ".vectors")}
    assert found.fields["articles"].paths == (
        "$.author.email", "$.author.name", "$.author.phones[*]", "$.lang", "$.text", "$.views"
    )  # fmt: skip
    assert found.fields["articles.vectors"].type == "vector(16, Cosine)"


def test_a_source_that_is_in_use_is_told_at_once(here: Place, prod: Production) -> None:
    edge = q.EdgeShard.load(str(prod.shard()))
    try:
        told = here.call("doctor", "--env", "prod").stdout
    finally:
        edge.close()
    assert "is in use" in told and "freeze its file system" in told


@pytest.mark.parametrize("harm", ["link", "length", "sizes", "json"])
def test_a_hostile_source_is_not_followed(tmp_path: Path, prod: Production, harm: str) -> None:
    root = tmp_path / "storage"
    shutil.copytree(prod.root, root)
    stores = sorted(root.glob("collections/articles/0/segments/*/payload_storage"))
    for store in stores:
        if harm == "link":
            page = store / "page_0.dat"
            page.rename(tmp_path / f"elsewhere-{store.parent.name}")
            page.symlink_to(tmp_path / f"elsewhere-{store.parent.name}")
        elif harm == "length":
            data = bytearray((store / "tracker.dat").read_bytes())
            data[0:4] = b"\xff\xff\xff\xff"
            for at in range(4, len(data) - 16, 16):
                data[at + 12 : at + 16] = b"\xff\xff\xff\x7f"
            (store / "tracker.dat").write_bytes(data)
        elif harm == "sizes":
            (store / "config.json").write_text("[]")
        else:
            with (store / "page_0.dat").open("r+b") as file:
                file.write(b"\xff" * 2**16)
    found = _foreseen(root)
    if harm == "link":
        assert found is None
        config = StoreConfig(kind="qdrant", source=SourceConfig(method="directory", path=root))
        (error,) = QdrantStore().obstacles(config, tmp_path)
        assert "is a symbolic link" in error.message
    else:
        assert found is not None and found.fields["notes"].paths and "articles.point_ids" in found.fields


def test_a_path_that_the_log_may_take_away_is_not_told(tmp_path: Path) -> None:
    """What one payload alone has can be gone when the engine has finished its log: only the copy says."""
    made = build(tmp_path / "storage", points=50, payload=lambda n: {"a": 1, **({"once": 1} if n == 7 else {})})
    change(made, [], [7])
    found = _foreseen(made.root)
    assert found is not None and found.fields["articles"].paths == ("$.a",)


def test_what_is_no_storage_directory() -> None:
    with place() as there:
        refused = there.call("init", "--qdrant", "/nowhere/storage", check=False)
        assert refused.returncode == 2
        assert len(refused.stderr.splitlines()) == 2 and "storage" in refused.stderr.splitlines()[1]
        assert not there.file.exists()
