"""A case in one file: what is taken over, and every archive that is refused, with nothing half made."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from envclone import attestation, keys, records
from envclone.api import Stack, open_stack
from envclone.cases import archive as archives
from envclone.cases import files
from envclone.cases.archive import BLOCK, MAGIC, PURPOSE, Table
from envclone.cases.case import Case, Contains, Pinned
from envclone.errors import BusyError, EnvcloneError, ResourceError, UnsafeError, UsageError
from envclone.incidents import seal
from envclone.incidents.bundle import Expected, Incident, SqlStep
from envclone.models import Consistency, Image, RawSnapshot, StoreSnapshot
from tests.support.postgres import scratch
from tests.support.stack import place

NOW = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
STACK = """\
version: 1
project: acme
pool: {path: pool}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: host=x}}
"""
SPARSE = 9 * 2**20


@dataclass(frozen=True)
class Side:
    """A directory with a stack file and a pool."""

    top: Path
    stack: Stack

    @property
    def keys(self) -> Path:
        return self.stack.project.keys


def _side(top: Path) -> Side:
    top.mkdir()
    (top / "envclone.yaml").write_text(STACK)
    return Side(top, open_stack(top / "envclone.yaml"))


def _made(side: Side, name: str = "1234", image_id: str = "img-0123456789ab", large: int = 0) -> Case:
    """An image of a few files, sealed as all are, and a case on it."""
    project = side.stack.project
    store = StoreSnapshot("main", "postgres", "physical", "18.4", NOW, 1.0, 1, 1)
    raw = RawSnapshot("prod-1", "prod", NOW, {"main": store}, Consistency.SINGLE, project="acme")
    image = Image(image_id, "prod", NOW, raw, "r1", "k1", 1.0, "acme")
    place = project.pool.path_of("images", image.id)
    data = place / "main" / "data"
    (data / "pg_tblspc").mkdir(parents=True)
    (place / "main" / "tablespaces" / "77").mkdir(parents=True)
    (data / "pg_notify").mkdir(mode=0o700)
    (data / "PG_VERSION").write_text("18\n")
    (data / "PG_VERSION").chmod(0o600)
    (data / "empty").touch()
    if large:
        (data / "large").write_bytes(os.urandom(large))
    with (data / "sparse").open("wb") as file:
        file.truncate(SPARSE)
        for at in (0, 5 * 2**20, SPARSE - 10):
            file.seek(at)
            file.write(b"0123456789")
    (data / "pg_tblspc" / "77").symlink_to("../../tablespaces/77")
    plan = {"main": {"plan": {"rules": {"public.t.a": {"kind": "text", "base": "text"}}}}}
    attestation.seal(place, {"image": records.dump(image), "stores": plan, "not_guaranteed": []}, project.keys)
    step = SqlStep(id="s", store="main", sql="SELECT 1", expect=Expected(columns=("a",), rows=((1,),)))
    bundle = Incident(incident=name, environment="prod", masked="k1", steps=(step,))
    bundle = bundle.model_copy(update={"signature": keys.sign(project.keys, seal.message(bundle)).hex()})
    pinned = Pinned(at=NOW, image=image.id, attestation=attestation.digest(place), key="k1", rules="r1", state_of=NOW)
    case = Case(case=name, environment="prod", fixed=(Contains(text="1"),), pinned=pinned)
    files.save(project.loaded.stack.cases, case, bundle)
    return case


@pytest.fixture
def sides() -> Iterator[tuple[Side, Side]]:
    with scratch() as top:
        yield _side(top / "here"), _side(top / "there")


def _tree(place: Path) -> dict[str, Any]:
    own = {attestation.ATTESTATION, attestation.SIGNATURE, attestation.MANIFEST}
    found: dict[str, Any] = {}
    for path in sorted(place.rglob("*")):
        name = str(path.relative_to(place))
        if name not in own:
            what: Any = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else "directory"
            found[name] = (path.lstat().st_mode, what)
    return found


def test_what_is_taken_over_is_what_it_was(sides: tuple[Side, Side]) -> None:
    here, there = sides
    case = _made(here)
    done = here.stack.export_case("1234", here.top / "case")
    assert done.apparent > SPARSE and done.bytes < 2**20, "holes are no bytes"
    stranger = pytest.raises(UnsafeError, match=f"signed by {done.signer}, who is not trusted here")
    with stranger:
        there.stack.import_case(here.top / "case")
    with pytest.raises(UnsafeError, match="you trust 0000"):
        there.stack.import_case(here.top / "case", trust="0" * 32)
    taken = there.stack.import_case(here.top / "case", trust=here.stack.fingerprint())
    assert (taken.image, taken.there) == (case.pinned.image, False)
    (image,) = there.stack.images()
    assert (image.id, image.imported) == (case.pinned.image, done.signer)
    before = here.stack.project.pool.path_of("images", image.id)
    after = there.stack.project.pool.path_of("images", image.id)
    assert _tree(before) == _tree(after)
    assert (after / "main/data/sparse").stat().st_blocks * 512 < 2**20
    statement = attestation.check(after, there.keys, content=True)
    assert statement["imported"]["attestation"] == case.pinned.attestation
    kept = files.load(there.stack.project.loaded.stack.cases, "1234")
    assert kept.case == case and seal.message(kept.bundle)
    (listed,) = there.stack.cases()
    assert listed.flaw == ""
    assert there.stack.collect() == [], "a case keeps its image"
    again = there.stack.import_case(here.top / "case")
    assert again.there, "the signer is trusted from now on, and the image is there"
    there.stack.unpin("1234")
    assert [one.name for one in there.stack.collect()] == [image.id]


def test_it_goes_on_from_there_and_comes_home(sides: tuple[Side, Side]) -> None:
    here, there = sides
    _made(here)
    fingerprint = here.stack.export_case("1234", here.top / "case").signer
    there.stack.import_case(here.top / "case", trust=fingerprint)
    onward = there.stack.export_case("1234", there.top / "case")
    assert onward.signer == there.stack.fingerprint() != fingerprint
    home = here.stack.import_case(there.top / "case", trust=onward.signer)
    assert home.there
    third = _side(here.top.parent / "third")
    third.stack.import_case(there.top / "case", trust=onward.signer)
    assert third.stack.import_case(here.top / "case", trust=fingerprint).there, "the same image by another way"


def test_another_case_or_image_of_that_name_stays(sides: tuple[Side, Side]) -> None:
    here, there = sides
    _made(here)
    trust = here.stack.export_case("1234", here.top / "case").signer
    _made(there, image_id="img-111111111111")
    with pytest.raises(UsageError, match="is another case"):
        there.stack.import_case(here.top / "case", trust=trust)
    there.stack.unpin("1234")
    _made(there, name="other")
    with pytest.raises(BusyError, match="another image"):
        there.stack.import_case(here.top / "case", trust=trust)
    with pytest.raises(UsageError, match="is there already"):
        here.stack.export_case("1234", here.top / "case")


def _written(side: Side, path: Path, table: dict[str, Any], tail: bytes = b"", begin: bytes = MAGIC) -> None:
    """An archive as an attacker writes it who has a trusted key."""
    text = json.dumps(table).encode()
    public = keys.public_key(side.keys)
    assert public is not None
    head = begin + len(text).to_bytes(8) + bytes.fromhex(public) + keys.sign(side.keys, PURPOSE + text) + text
    path.write_bytes(head + b"\0" * (-len(head) % BLOCK) + tail)


def _parts(path: Path) -> tuple[dict[str, Any], bytes]:
    """The table of an archive and its data."""
    with archives.opened(path, lambda *_: None) as archive:
        archive.file.seek(archive.begins)
        return archive.table.model_dump(mode="json"), archive.file.read()


Change = Callable[[dict[str, Any]], None]


def _file(name: str, **more: Any) -> Change:
    def change(table: dict[str, Any]) -> None:
        table["files"].append({"path": name, "mode": 0o600, "size": 0, "extents": [], **more})

    return change


def _link(name: str, target: str) -> Change:
    return lambda table: table["links"].update({name: target})


def _named(table: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [one for one in table["files"] if one["path"] == name]
    return found  # type: ignore[no-any-return]


def _set(name: str, **values: Any) -> Change:
    return lambda table: _named(table, name).update(values)


def _text(name: str, old: str, new: str) -> Change:
    return lambda table: table["texts"].update({name: table["texts"][name].replace(old, new, 1)})


HOSTILE: dict[str, tuple[Change, str]] = {
    "up": (_file("main/../../../etc/x"), "leads elsewhere"),
    "only up": (_file(".."), "leads elsewhere"),
    "absolute": (_file("/etc/x"), "leads elsewhere"),
    "empty part": (_file("main//x"), "leads elsewhere"),
    "dot": (_file("main/./x"), "leads elsewhere"),
    "nul": (_file("main/x\0y"), "leads elsewhere"),
    "newline": (_file("main/x\ny"), "leads elsewhere"),
    "backslash": (_file("main\\..\\x"), "leads elsewhere"),
    "long": (_file("main/" + "x" * 300), "leads elsewhere"),
    "nothing": (_file(""), "leads elsewhere"),
    "directory up": (lambda table: table["directories"].update({"main/../..": 0o700}), "leads elsewhere"),
    "beside the stores": (_file("pool.json"), "is in no store"),
    "attestation": (_file("attestation.json"), "is in no store"),
    "twice": (_file("main/data/PG_VERSION"), "is there twice"),
    "file and directory": (_file("main/data"), "is there twice"),
    "below a file": (_file("main/data/empty/x"), "is no directory"),
    "below a link": (_file("main/data/pg_tblspc/77/x"), "is no directory"),
    "link as directory": (_link("main/data", "/etc"), "is there twice"),
    "link absolute": (_link("main/data/l", "/etc/passwd"), "leads out of its store"),
    "link up": (_link("main/data/l", "../../../keys/masking.key"), "leads out of its store"),
    "link to the pool": (_link("main/data/l", "../.."), "leads out of its store"),
    "link up late": (_link("main/data/l", "pg_tblspc/77/../../../.."), "leads out of its store"),
    "link to nothing": (_link("main/data/l", ""), "leads out of its store"),
    "setuid": (_set("main/data/empty", mode=0o4755), "not of the form"),
    "device": (_file("main/data/d", device=[1, 3]), "not of the form"),
    "negative": (_set("main/data/empty", size=-1), "not of the form"),
    "huge": (_set("main/data/empty", size=1 << 60), "not of the form"),
    "text size": (_set("main/data/empty", size="0"), "not of the form"),
    "extent outside": (_set("main/data/PG_VERSION", extents=[[0, 4096]]), "overlap, or lie outside"),
    "extents overlap": (_set("main/data/sparse", extents=[[0, 8192], [4096, 8192]]), "overlap, or lie outside"),
    "extents backwards": (_set("main/data/sparse", extents=[[8192, 10], [0, 10]]), "overlap, or lie outside"),
    "extent of nothing": (_set("main/data/sparse", extents=[[0, 0]]), "overlap, or lie outside"),
    "extent not aligned": (_set("main/data/sparse", extents=[[7, 10]]), "overlap, or lie outside"),
    "more data than there is": (_set("main/data/sparse", extents=[[0, SPARSE]]), "its table speaks of"),
    "a bomb": (_set("main/data/sparse", size=1 << 45), "not those that were attested"),
    "a file more": (_file("main/data/more"), "not those that were attested"),
    "a file less": (lambda table: table["files"].pop(0), r"\w"),
    "a link more": (_link("main/data/l", "PG_VERSION"), "not those that were attested"),
    "another link": (_link("main/data/pg_tblspc/77", "../PG_VERSION"), "not the one that was attested"),
    "a store more": (lambda table: table["directories"].update({"keys": 0o700}), "not the one that was attested"),
    "image's name": (lambda table: table.update(image="../../x"), "in no way that a pool can"),
    "other image": (lambda table: table.update(image="img-2"), "not the one that was attested"),
    "no bundle": (lambda table: table["texts"].pop("bundle.json"), "lacks a part"),
    "a text more": (lambda table: table["texts"].update({"../x": ""}), "lacks a part"),
    "attestation changed": (_text("attestation.json", '"r1"', '"r2"'), "not signed by who signed the archive"),
    "manifest changed": (_text("files.json", "PG_VERSION", "PG_VERSIOM"), "not the one that was attested"),
    "bundle changed": (_text("bundle.json", "SELECT 1", "SELECT 2"), "changed after it was masked"),
    "bundle of another key": (_text("bundle.json", '"k1"', '"k2"'), "of another incident, environment or key"),
    "bundle raw": (_text("bundle.json", '"masked": "k1"', '"masked": null'), "of another incident"),
    "bundle damaged": (_text("bundle.json", "{", "["), r"\w"),
    "case of another image": (_text("case.yaml", "img-0123456789ab", "img-2"), "pinned with another image"),
    "case leads elsewhere": (_text("case.yaml", "'1234'", "../../x"), r"\w"),
    "case damaged": (_text("case.yaml", "version: 1", "version: 9"), "is no case"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused(sides: tuple[Side, Side], name: str) -> None:
    here, there = sides
    _made(here)
    trust = here.stack.export_case("1234", here.top / "case").signer
    table, data = _parts(here.top / "case")
    change, why = HOSTILE[name]
    change(table)
    _written(here, here.top / "hostile", table, data)
    before = sorted(str(path) for path in here.top.parent.rglob("*") if "locks" not in path.parts)
    with pytest.raises(EnvcloneError, match=why) as caught:
        there.stack.import_case(here.top / "hostile", trust=trust)
    assert caught.value.exit_code in (2, 3, 4), caught.value
    assert sorted(str(path) for path in here.top.parent.rglob("*") if "locks" not in path.parts) == before
    assert there.stack.images() == [] and there.stack.cases() == [] and keys.trusted(there.keys) == []


def test_bytes_that_are_not_what_was_attested(sides: tuple[Side, Side]) -> None:
    here, there = sides
    _made(here)
    trust = here.stack.export_case("1234", here.top / "case").signer
    table, data = _parts(here.top / "case")
    for at in range(0, len(data), BLOCK):
        _written(here, here.top / "hostile", table, data[:at] + b"\xff" + data[at + 1 :])
        with pytest.raises(UnsafeError, match="has other bytes than were attested"):
            there.stack.import_case(here.top / "hostile", trust=trust)
    work = there.stack.project.pool.path
    assert [path.name for kind in ("work", "images", "tmp", "pins") for path in (work / kind).iterdir()] == []
    assert not (there.top / "cases").exists() and keys.trusted(there.keys) == []
    _written(here, here.top / "good", table, data)
    assert there.stack.import_case(here.top / "good", trust=trust).image


@pytest.mark.parametrize("cut", [0, 10, 40, 150, BLOCK, -BLOCK, -1])
def test_an_archive_that_is_cut_or_was_changed(sides: tuple[Side, Side], cut: int) -> None:
    here, there = sides
    _made(here)
    trust = here.stack.export_case("1234", here.top / "case").signer
    whole = (here.top / "case").read_bytes()
    (here.top / "cut").write_bytes(whole[:cut])
    (here.top / "longer").write_bytes(whole + b"\0" * BLOCK)
    changed = bytearray(whole)
    changed[cut if 0 < cut < 200 else 300] ^= 1
    (here.top / "changed").write_bytes(changed)
    for name in ("cut", "longer", "changed"):
        with pytest.raises(UnsafeError):
            there.stack.import_case(here.top / name, trust=trust)
    assert there.stack.images() == [] and there.stack.cases() == []


def test_what_a_case_expects_is_signed_too(sides: tuple[Side, Side]) -> None:
    here, there = sides
    _made(here)
    trust = here.stack.export_case("1234", here.top / "case").signer
    whole = (here.top / "case").read_bytes()
    other = whole.replace(b"text: '1'", b"text: '2'")
    assert other != whole and len(other) == len(whole)
    (here.top / "changed").write_bytes(other)
    with pytest.raises(UnsafeError, match="changed after it was signed"):
        there.stack.import_case(here.top / "changed", trust=trust)
    assert there.stack.images() == [] and keys.trusted(there.keys) == []


def test_what_is_no_archive(sides: tuple[Side, Side]) -> None:
    _, there = sides
    os.mkfifo(there.top / "pipe")
    (there.top / "tar").write_bytes(b"x" * 100_000)
    (there.top / "table").write_bytes(MAGIC + b"\xff" * 200)
    for name in ("pipe", "tar", "table"):
        with pytest.raises(UnsafeError):
            there.stack.import_case(there.top / name, trust="0" * 32)
    with pytest.raises(UsageError):
        there.stack.import_case(there.top / "missing")


def test_limits(sides: tuple[Side, Side], monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = sides
    _made(here)
    trust = here.stack.export_case("1234", here.top / "case").signer
    with pytest.raises(ResourceError, match="are allowed"):
        there.stack.import_case(here.top / "case", trust=trust, limit=SPARSE)
    monkeypatch.setattr("envclone.pool.layout.Pool.free_bytes", lambda self: 1000)
    with pytest.raises(ResourceError, match="the pool has"):
        there.stack.import_case(here.top / "case", trust=trust)
    monkeypatch.setattr(archives, "MOST_FILES", 3)
    with pytest.raises(UnsafeError, match="more than 3 files"):
        there.stack.import_case(here.top / "case", trust=trust)
    assert there.stack.images() == []


@pytest.mark.root
def test_where_blocks_can_be_shared_none_is_copied() -> None:
    large = 32 * 2**20
    with place(size="1G") as here:
        here.write(STACK.replace("{path: pool}", f'{{path: "{here.pool}"}}'))
        side = Side(here.directory, here.open())
        _made(side, large=large)

        def taken(work: Callable[[], object]) -> int:
            os.sync()
            before = os.statvfs(here.pool)
            work()
            os.sync()
            after = os.statvfs(here.pool)
            return (before.f_bfree - after.f_bfree) * after.f_frsize

        assert taken(lambda: side.stack.export_case("1234", here.pool / "tmp" / "case")) < large // 8
        side.stack.unpin("1234")
        side.stack.project.cow.remove(here.pool / "images" / "img-0123456789ab")
        assert taken(lambda: side.stack.import_case(here.pool / "tmp" / "case")) < large // 8
        (here.pool / "tmp" / "case").unlink()


def test_another_project_s_case_stays_where_it_is(sides: tuple[Side, Side]) -> None:
    here, there = sides
    _made(here)
    trust = here.stack.export_case("1234", here.top / "case").signer
    (there.top / "envclone.yaml").write_text(STACK.replace("project: acme", "project: other"))
    with pytest.raises(UsageError, match="belongs to the project 'acme'"):
        open_stack(there.top / "envclone.yaml").import_case(here.top / "case", trust=trust)


def test_a_table_takes_no_other_fields() -> None:
    assert Table.model_config["extra"] == "forbid" and Table.model_config["strict"]
