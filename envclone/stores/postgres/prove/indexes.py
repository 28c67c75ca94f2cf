"""The account of indexes: entries of B-trees are decoded, and their keys searched as values."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from envclone.compiled import frozen
from envclone.forked import fork_map, workers
from envclone.models import APART, Values
from envclone.packed import TextBlock
from envclone.protocols import Ledger
from envclone.stores.postgres.catalog.layout import FIRST_NORMAL_OID, Database, Layout, Relation
from envclone.stores.postgres.format import claims, rows, varlena
from envclone.stores.postgres.format.segments import extents, read
from envclone.stores.postgres.format.tuples import Attribute
from envclone.stores.postgres.prove.decoded import NUMBERS, READING, Decoder, decoder, has_no_text
from envclone.stores.postgres.prove.graphs import vectors
from envclone.stores.postgres.prove.indexpages import Keys
from envclone.stores.postgres.prove.keyforms import Form, forms, prefix_of
from envclone.stores.postgres.prove.otherindexes import gin, hashes
from envclone.stores.postgres.prove.owners import named, piece
from envclone.stores.postgres.prove.pages import block_of, reader
from envclone.stores.postgres.prove.partitions import Leaves, Ways, beginnings, inner_pages, spgist
from envclone.stores.postgres.prove.searchtrees import btree
from envclone.stores.postgres.prove.sources import Sources
from envclone.stores.postgres.prove.summaries import brin, stored
from envclone.stores.postgres.prove.trees import gist
from envclone.stores.postgres.prove.twins import Job, gather

__all__ = ["Indexes"]

_AT_ONCE = 256
_PLAIN = frozenset({"text", "varchar", "citext"})
_WORDS = _PLAIN | {"bpchar", "name"}
_SPELLED = "spg_text_config"
"""The operator class of SP-GiST that leaves the beginnings of texts to the way to them."""


@dataclass(frozen=True, slots=True)
class _Index:
    database: Database
    relation: Relation


class Indexes:
    """All indexes of a cluster; `account` tells the ledger of each of their pages."""

    def __init__(self, directory: Path, known: Layout, sources: Sources, ledger: Ledger) -> None:
        self._directory, self._data, self._known = directory, directory / "data", known
        self._sources, self._ledger = sources, ledger
        self._seen: set[bytes] = set()
        self._ways: dict[str, Ways] = {}

    def account(self) -> None:
        """Every index once."""
        indexes = [_Index(d, r) for d, r in self._known.indexes()]
        jobs = (
            (number, extent)
            for number, index in enumerate(indexes)
            for extent in extents(
                self._data / index.relation.path,
                self._known.page_size,
                segment_pages=self._known.segment_pages,
                at_once=_AT_ONCE,
            )
        )
        self._ways = {
            index.relation.path: self._beginnings(index.relation)
            for index in indexes
            if index.relation.access == "spgist" and index.relation.support[:1] == (_SPELLED,)
        }
        gathered = gather(jobs, self._known.page_size, lambda number: self._read_as(indexes[number]))
        size = sum(job[1].pages for job in gathered) * self._known.page_size
        for found in fork_map(lambda job: self._work(indexes[job[0]], job), gathered, workers(size)):
            self._ledger.take(found)

    def _read_as(self, index: _Index) -> Hashable | None:
        """All that an account of an index follows from beside its pages; None in the database of the rules."""
        relation = index.relation
        if self._sources.own(index.database):
            return None
        if relation.path in self._ways:
            return None
        return (
            relation.name, relation.access, relation.attributes, relation.table, relation.keys, relation.uses,
            relation.support,
        )  # fmt: skip

    def _beginnings(self, relation: Relation) -> Ways:
        """What the ways to the entries of an index over texts spell, which lie on many pages."""

        def inner() -> Iterator[tuple[int, Any]]:
            for extent in extents(
                self._data / relation.path,
                self._known.page_size,
                segment_pages=self._known.segment_pages,
                at_once=_AT_ONCE,
            ):
                pages = read(extent, self._known.page_size).pages
                for number in np.flatnonzero(inner_pages(pages)).tolist():
                    yield extent.first_block + number, pages[number : number + 1]

        return beginnings(inner())

    def _work(self, index: _Index, job: Job) -> Any:
        _, extent, twins = job
        pages = read(extent, self._known.page_size).pages
        owner = np.zeros(pages.size, np.uint8)
        values: list[Values] = []
        access, raw = index.relation.access, False
        if access == "btree":
            values = list(self._btree(index, pages, owner, extent.first_block))
        elif access == "gin":
            values = list(self._gin(index, pages, owner, extent.first_block))
        elif access == "hash":
            hashes(pages, owner)
        elif access in ("hnsw", "ivfflat"):
            raw = vectors(pages, owner, extent.first_block)
        elif access == "gist":
            values = list(self._gist(index, pages, owner, extent.first_block))
        elif access == "spgist":
            values = list(self._spgist(index, pages, owner, extent.first_block))
        elif access == "brin":
            values = list(self._brin(index, pages, owner, extent.first_block))
        place = f"index {index.relation.name} ({access})"
        made = piece(
            self._directory, extent.path, extent.offset, pages, owner,
            place=place, first_block=extent.first_block, strict=False, values=values, raw=raw,
        )  # fmt: skip
        self._ledger.enter(made)
        for _, other in twins:
            self._ledger.enter(replace(made, path=named(self._directory, other.path), values=()))
        return self._ledger.found()

    def _btree(self, index: _Index, pages: Any, owner: Any, first_block: int) -> Iterator[Values]:
        columns = index.relation.attributes
        of_catalog = index.relation.table < FIRST_NORMAL_OID
        owners = [_owner(column, of_catalog=of_catalog) for column in columns]
        flat, words = pages.reshape(-1), []
        for keys in btree(pages, owner, columns, owners, first_block):
            yield self._texts(index, keys, flat, first_block)
            if (keys.attribute.base or keys.attribute.type) in _WORDS:
                words.append(keys)
        if len(words) > 1:
            yield from self._together(index, words, flat, first_block)

    def _together(self, index: _Index, columns: list[Keys], flat: Any, first_block: int) -> Iterator[Values]:
        """What each entry has of the kept columns of texts, once for each different entry."""
        sources = [self._sources.of_key(index.database, index.relation, keys.column) for keys in columns]
        columns = [keys for keys, source in zip(columns, sources, strict=True) if source.kept]
        entries: dict[int, list[bytes]] = {}
        pages: dict[int, int] = {}
        for keys in columns:
            for entry, start, end, packed, page in zip(
                *(x.tolist() for x in (keys.entry, keys.start, keys.end, keys.packed, keys.page)), strict=True
            ):
                body = flat[start:end].tobytes()
                entries.setdefault(entry, []).append(varlena.expand(body) if packed else body.split(b"\0", 1)[0])
                pages[entry] = page
        found = {APART.encode().join(of): pages[entry] for entry, of in entries.items() if len(of) > 1}
        if found:
            addresses = tuple(address for source in sources if source.kept for address in source.addresses)
            at = [f"page {first_block + page}" for page in found.values()]
            place = f"{index.database.name}: index {index.relation.name}"
            yield Values(place, list(found), addresses, at=at, stale=_stale(index), kept=True, together=True)

    def _gin(self, index: _Index, pages: Any, owner: Any, first_block: int) -> Iterator[Values]:
        columns = index.relation.attributes
        owners = [_owner(column, of_catalog=False) for column in columns]
        for keys in gin(pages, owner, columns, owners):
            if owners[keys.column] != claims.STRUCTURE:
                yield self._texts(index, keys, pages.reshape(-1), first_block)

    def _gist(self, index: _Index, pages: Any, owner: Any, first_block: int) -> Iterator[Values]:
        made = self._forms(index)
        columns, owners = [one.attribute for one in made], [one.owner for one in made]
        inner = len(index.relation.support) or len(columns)
        for keys in gist(pages, owner, columns, owners, inner):
            yield self._texts(index, keys, pages.reshape(-1), first_block, made[keys.column].read)

    def _spgist(self, index: _Index, pages: Any, owner: Any, first_block: int) -> Iterator[Values]:
        leaf, ways = self._forms(index), self._ways.get(index.relation.path)
        flat = pages.reshape(-1)
        for found in spgist(pages, owner, leaf, prefix_of(index.relation), first_block, labels=ways is not None):
            keys = found.keys
            if ways is None or keys.column:
                yield self._texts(index, keys, flat, first_block, leaf[keys.column].read)
            else:
                yield self._spelled(index, found, flat, first_block, ways)

    def _spelled(self, index: _Index, found: Leaves, flat: Any, first_block: int, ways: Ways) -> Values:
        """Texts that begin on the way to them: what a chain's first one has the others have too."""
        keys = found.keys
        block = (keys.page + first_block).tolist()
        places = list(zip(block, found.item.tolist(), strict=True))
        following = dict(zip(places, found.following.tolist(), strict=True))
        known: dict[tuple[int, int], bytes] = {}
        for place in places:
            way, at = ways.get(place), place
            while way is not None and at in following and at not in known:
                known[at] = way
                at = (at[0], following[at])
        texts: list[str | bytes] = []
        for place, start, end, packed in zip(
            places, keys.start.tolist(), keys.end.tolist(), keys.packed.tolist(), strict=True
        ):
            body = flat[start:end].tobytes() if start >= 0 else b""
            texts.append(known.get(place, b"") + (varlena.expand(body) if packed else body))
        source = self._sources.of_key(index.database, index.relation, 0)
        at_pages = [f"page {one}" for one in block]
        where = f"{index.database.name}: index {index.relation.name}"
        return Values(where, texts, source.addresses, at=at_pages, stale=_stale(index), kept=source.kept)

    def _brin(self, index: _Index, pages: Any, owner: Any, first_block: int) -> Iterator[Values]:
        columns = stored(index.relation)
        reads = [(number, form.read) for number, column in enumerate(columns or ()) for form in column]
        for keys in brin(pages, owner, columns, first_block):
            number, read_one = reads[keys.column]
            yield self._texts(index, replace(keys, column=number), pages.reshape(-1), first_block, read_one)

    def _forms(self, index: _Index) -> list[Form]:
        return forms(index.relation, of_catalog=index.relation.table < FIRST_NORMAL_OID)

    def _texts(self, index: _Index, keys: Keys, flat: Any, first_block: int, read_one: Decoder | None = None) -> Values:
        """The texts in keys that stand so in the pages, as `read_one` reads them, else as their type does."""
        base = keys.attribute.base or keys.attribute.type
        source = self._sources.of_key(index.database, index.relation, keys.column)
        place, numbers = f"{index.database.name}: index {index.relation.name}", base in NUMBERS
        block = self._block(index, keys, flat) if source.addresses and read_one is None else None
        if block is not None:
            return Values(
                place, block, source.addresses, source.copies, numbers, at=_Pages(keys.page, first_block),
                stale=_stale(index), kept=source.kept and not numbers,
            )  # fmt: skip
        read_one = read_one or decoder(keys.attribute)
        plain = base in _PLAIN and not keys.packed.any() and bool(source.addresses)
        bodies = [flat[a:b].tobytes() for a, b in zip(keys.start.tolist(), keys.end.tolist(), strict=True)]
        texts: list[str | bytes] = []
        at: list[str] = []
        if plain and index.relation.access == "btree":
            texts += bodies
            at += [f"page {first_block + page}" for page in keys.page.tolist()]
        else:
            packed, pages = keys.packed.tolist(), keys.page.tolist()
            for body, compressed, page in zip(bodies, packed, pages, strict=True):
                if compressed:
                    body = varlena.expand(body)
                elif read_one is None:
                    continue
                if not source.addresses:
                    if body in self._seen:
                        continue
                    self._seen.add(body)
                try:
                    said: list[str | bytes] = [body] if read_one is None else read_one(body)
                except READING:
                    said = [body]
                if index.relation.access == "gin":  # of a document's keys the first byte says what they are
                    said = [one[1:] if isinstance(one, bytes) and one[:1] < b" " else one for one in said]
                texts += said
                at += [f"page {first_block + page}"] * len(said)
        return Values(
            place, texts, source.addresses, source.copies, numbers, at=at, stale=_stale(index),
            kept=source.kept and not numbers,
        )  # fmt: skip

    def _block(self, index: _Index, keys: Keys, flat: Any) -> TextBlock | None:
        """The texts of a B-tree's keys as bytes one behind the other, where all of them can be read so."""
        how = reader(keys.attribute)
        if index.relation.access != "btree" or how is None or how.pack is None or keys.packed.any():
            return None
        starts, ends = (np.ascontiguousarray(one, np.int64) for one in (keys.start, keys.end))
        try:
            return block_of(how.pack, frozen(flat[:]), starts, ends, np.full(len(starts), rows.SHORT, np.uint8))
        except ValueError:  # a damaged one, which is searched as it is
            return None


class _Pages(Sequence[str]):
    """On which pages keys stand, in words; few are asked for."""

    def __init__(self, pages: Any, first_block: int) -> None:
        self._pages, self._first = pages, first_block

    def __len__(self) -> int:
        return len(self._pages)

    def __getitem__(self, place: Any) -> Any:
        return f"page {self._first + int(self._pages[place])}"


def _stale(index: _Index) -> str:
    """What helps where no row has a key any more."""
    if index.relation.table < FIRST_NORMAL_OID:
        return ""
    return f"When no row has it any more: REINDEX INDEX {index.relation.name} there, and a new snapshot."


def _owner(column: Attribute, *, of_catalog: bool) -> int:
    """Who owns the keys of a column."""
    if has_no_text(column, of_catalog=of_catalog):
        return claims.STRUCTURE
    return claims.UNDECODED if decoder(column) is None else claims.DERIVED
