"""What every store must do, run on every adapter: copied, opened, sanitized, scrubbed, served, asked, stopped."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from envclone import records, registry
from envclone.accounts import hand_over, service_account
from envclone.errors import BusyError, ConfigError, EnvcloneError, UnsafeError
from envclone.masking import rules
from envclone.masking.corpus import Corpus
from envclone.masking.masks import MaskSet
from envclone.models import Credentials, FieldKind, Inventory, Rows, Secret, StorePlan, StoreSnapshot
from envclone.verifier.account import Account
from envclone.verifier.field_findings import FieldFindings
from envclone.verifier.originals import Originals
from tests.contract.stores import ADAPTERS, PEOPLE, Adapter, who
from tests.support.postgres import scratch

PERSONS = Corpus({"person": [who(number)[0] for number in range(PEOPLE)]})
MASKS = MaskSet(b"k" * 32, {}, PERSONS)


@dataclass(frozen=True)
class Copied:
    """A production that was copied once."""

    adapter: Adapter
    place: Path
    raw: Path
    snapshot: StoreSnapshot

    def clone(self, name: str, *, of: Path | None = None) -> Path:
        """A private copy to work on."""
        directory = self.place / name
        shutil.copytree(of or self.raw, directory, symlinks=True)
        hand_over(directory, service_account())
        return directory


@pytest.fixture(scope="module", params=sorted(ADAPTERS))
def copied(request: pytest.FixtureRequest) -> Iterator[Copied]:
    with scratch() as place, ADAPTERS[request.param](place) as adapter:
        before = _stamps(adapter.source)
        raw = place / "raw"
        raw.mkdir(mode=0o700)
        snapshot = registry.store(adapter.kind).snapshot("it", adapter.config, raw, lambda event: None)
        assert _stamps(adapter.source) == before, "production is only read"
        yield Copied(adapter, place, raw, snapshot)


def _stamps(source: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(source)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(source.rglob("*"))
        if path.is_file()
    }


class Shown:
    """The words that a comparison shows, of production and of the clone."""

    def __init__(self) -> None:
        self.before: set[str] = set()
        self.after: set[str] = set()
        self._found: list[tuple[set[str], set[str]]] = []

    def batch(self, address: str, before: list[Any], after: list[Any], places: Sequence[str] = ()) -> None:
        everybody = {part for number in range(PEOPLE) for part in who(number)}
        sides = ["\n".join(map(str, values)) for values in (before, after)]
        self._found.append(({p for p in everybody if p in sides[0]}, {p for p in everybody if p in sides[1]}))

    def batches(self, many: Iterable[tuple[str, list[Any], Sequence[str]]]) -> None:
        for address, values, places in many:
            self.batch(address, values, values, places)

    def numbers(self, address: str, values: list[Any], places: Sequence[str]) -> None:
        """Nobody is called a number here."""

    def rows(self, rows: Rows, made: Mapping[str, Sequence[Any]]) -> None:
        for address, values in rows.fields.items():
            self.batch(address, list(values), list(made.get(address, values)))

    def found(self) -> Any:
        found, self._found = self._found, []
        return found

    def take(self, found: Any) -> None:
        for before, after in found:
            self.before |= before
            self.after |= after


def _plan(adapter: Adapter, inventory: Inventory) -> StorePlan:
    return rules.plan(adapter.rules, {}, inventory)


def _sanitized(copied: Copied, name: str) -> tuple[Path, StorePlan]:
    store, directory = registry.store(copied.adapter.kind), copied.clone(name)
    with store.open(directory, copied.snapshot, log=copied.place / f"{name}.log") as session:
        plan = _plan(copied.adapter, session.inventory())
        session.rewrite(plan, MASKS, lambda event: None)
        session.defang()
    store.scrub(directory, copied.snapshot, plan)
    return directory, plan


def _by_place(rows: Iterable[Rows]) -> dict[str, dict[str, tuple[Any, ...]]]:
    """Per table what each row holds, by where it lies."""
    found: dict[str, dict[str, tuple[Any, ...]]] = {}
    for one in rows:
        names = sorted(one.fields)
        values = zip(*(map(str, one.fields[name]) for name in names), strict=True)
        found.setdefault(one.table, {}).update(zip(one.places, values, strict=True))
    return found


def test_a_snapshot_s_record_comes_back_as_it_was(copied: Copied) -> None:
    assert records.load(StoreSnapshot, records.dump(copied.snapshot), what="it") == copied.snapshot
    assert (copied.snapshot.store, copied.snapshot.kind) == ("it", copied.adapter.kind)
    assert copied.snapshot.bytes > 0
    assert copied.snapshot.files > 0


def test_a_source_that_is_not_there_leaves_nothing(copied: Copied) -> None:
    source = copied.adapter.config.source.model_copy(update={"path": copied.place / "nowhere"})
    into = copied.place / "into"
    into.mkdir()
    with pytest.raises(EnvcloneError):
        registry.store(copied.adapter.kind).snapshot(
            "it", copied.adapter.config.model_copy(update={"source": source}), into, lambda event: None
        )
    assert list(into.iterdir()) == []
    into.rmdir()


def test_an_unknown_method_is_refused(copied: Copied) -> None:
    source = copied.adapter.config.source.model_copy(update={"method": "none"})
    with pytest.raises(ConfigError):
        registry.store(copied.adapter.kind).snapshot(
            "it", copied.adapter.config.model_copy(update={"source": source}), copied.place, lambda event: None
        )


def test_what_the_inventory_names_can_be_read(copied: Copied) -> None:
    store, directory = registry.store(copied.adapter.kind), copied.clone("read")
    with store.open(directory, copied.snapshot, log=copied.place / "read.log") as session:
        inventory = session.inventory()
        assert inventory.rows[copied.adapter.table] == PEOPLE
        readable = {a for a, field in inventory.fields.items() if field.kind is not FieldKind.VECTOR}
        everything: dict[str, int] = {}
        for address, values in session.read():
            everything[address] = everything.get(address, 0) + len(values)
        assert readable <= everything.keys()
        for address in readable:
            named = [value for found, values in session.read({address}) for value in values if found == address]
            assert len(named) == everything[address] == PEOPLE
        text = "".join(str(value) for _, values in session.read(readable) for value in values)
        assert all(part in text for part in who(7))


def test_some_rows_are_of_all_and_whole(copied: Copied) -> None:
    store, directory = registry.store(copied.adapter.kind), copied.clone("first")
    with store.open(directory, copied.snapshot, log=copied.place / "first.log") as session:
        every, few = _by_place(session.rows()), _by_place(session.some(3))
    for table, rows in every.items():
        assert min(3, len(rows)) <= len(few[table]) <= len(rows)
        assert all(rows[place] == values for place, values in few[table].items())
    assert few.keys() == every.keys()
    assert len(few[copied.adapter.table]) < PEOPLE


def test_sanitized_is_raw_under_the_masks_and_nothing_else(copied: Copied) -> None:
    store = registry.store(copied.adapter.kind)
    clean, plan = _sanitized(copied, "clean")
    raw = copied.clone("raw-again")
    with (
        store.open(raw, copied.snapshot, log=copied.place / "raw.log") as before,
        store.open(clean, copied.snapshot, log=copied.place / "clean.log") as after,
    ):
        assert before.digest(plan, MASKS) == after.digest(plan, None)
        assert before.digest(plan, None) != after.digest(plan, None)
        assert before.digest(plan, MaskSet(b"x" * 32, {}, PERSONS)) != after.digest(plan, None)
        assert after.digest(plan, None)[copied.adapter.table].rows == PEOPLE
        seen = Shown()
        compared = before.compare(after, plan, MASKS, (), seen, lambda event: None)
        assert (compared.rows[copied.adapter.table], compared.problems) == (PEOPLE, ())
        assert seen.before >= {part for number in range(PEOPLE) for part in who(number)}
        assert not seen.after & {part for number in range(PEOPLE) for part in who(number)}
        other = MaskSet(b"x" * 32, {}, PERSONS)
        assert before.compare(after, plan, other, (), Shown(), lambda event: None).problems
        was, now = before.integrity(), after.integrity()
        assert (now.orphans, now.problems, now.unique_indexes) == (was.orphans, (), was.unique_indexes)


def test_no_byte_of_a_person_is_left(copied: Copied) -> None:
    store = registry.store(copied.adapter.kind)
    clean, plan = _sanitized(copied, "bytes")
    people = [part.encode() for number in range(PEOPLE) for part in who(number)]
    for path in sorted(clean.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            assert not [one for one in people if one in data], path
    originals = Originals()
    originals.add("it.people", "person", [part for number in range(PEOPLE) for part in who(number)])
    originals.seal()
    findings = FieldFindings(originals=originals)
    account = Account("it", clean, findings)
    store.account(clean, copied.snapshot, plan, {copied.adapter.table: PEOPLE}, account)
    figures = account.settle()
    findings.leaks.refuse()
    assert figures["bytes"] == sum(path.stat().st_size for path in clean.rglob("*") if path.is_file())
    stray = clean / "stray"
    stray.write_text("nothing")
    account = Account("it", clean, findings)
    store.account(clean, copied.snapshot, plan, {copied.adapter.table: PEOPLE}, account)
    account.settle()
    with pytest.raises(UnsafeError, match="belong to no class"):
        findings.leaks.refuse()
    stray.unlink()
    store.scrub(clean, copied.snapshot, plan)  # once more does no harm
    with store.open(clean, copied.snapshot, log=copied.place / "again.log") as session:
        assert session.integrity().problems == ()


def test_served_asked_and_stopped(copied: Copied) -> None:
    server = registry.server(copied.adapter.kind)
    directory, _ = _sanitized(copied, "served")
    log = copied.place / "served-branch.log"
    credentials = Credentials("envclone", Secret("a password of its own"))
    assert server.stop(directory) is False
    endpoint = server.serve(directory, copied.snapshot, credentials, port=None, log=log)
    try:
        assert server.running(directory)
        with server.connect(endpoint) as runner:
            first, second = runner.run(copied.adapter.step), runner.run(copied.adapter.step)
            assert first.error is None
            assert len(first.rows or first.ids) == 5
            assert (first.rows, first.ids, first.scores) == (second.rows, second.ids, second.scores)
            assert runner.run(copied.adapter.wrong).error, "a failing step is a result, and nothing is written"
    finally:
        server.stop(directory)
    assert server.stop(directory) is False
    if copied.adapter.listens:
        assert not server.running(directory)
        _refuses_a_taken_port(copied, directory, credentials, log)


def _refuses_a_taken_port(copied: Copied, directory: Path, credentials: Credentials, log: Path) -> None:
    server = registry.server(copied.adapter.kind)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(BusyError):
            server.serve(directory, copied.snapshot, credentials, port=taken.getsockname()[1], log=log)
    assert not server.running(directory)


def test_indexes_answer_as_in_production_and_files_are_whole(copied: Copied) -> None:
    store = registry.store(copied.adapter.kind)
    directory, _ = _sanitized(copied, "asked")
    assert all(count > 0 for what, count in store.examine(directory).items() if what != "dead_vectors")
    with (
        store.open(copied.clone("unmasked"), copied.snapshot, log=copied.place / "unmasked.log") as before,
        store.open(directory, copied.snapshot, log=copied.place / "asked.log") as after,
    ):
        questions = before.probes(10)
        assert questions == before.probes(10) and not [one for one in questions if one.unasked]
        asked = [probe for one in questions for probe in one.probes]
        placed = {probe.table for probe in asked}
        assert before.answers(asked, placed) == after.answers(asked, placed)
