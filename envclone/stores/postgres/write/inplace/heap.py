"""One range of a table's pages: read, masked, and written back with every row at its address."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from envclone.errors import EnvcloneError, UnsafeError
from envclone.packed import pairs
from envclone.protocols import FieldMask
from envclone.refused import named, refused, said_of
from envclone.stores.postgres.format import deform, varlena
from envclone.stores.postgres.format.checksum import page_checksums
from envclone.stores.postgres.format.page import Items, normal_items
from envclone.stores.postgres.format.segments import Extent
from envclone.stores.postgres.format.tuples import Attribute
from envclone.stores.postgres.format.visibility import Transactions, dead
from envclone.stores.postgres.scrub.blanks import erased
from envclone.stores.postgres.sharing import put
from envclone.stores.postgres.write.inplace import batches, fit
from envclone.stores.postgres.write.inplace.codecs import Codec
from envclone.stores.postgres.write.inplace.staged import StagedValues
from envclone.stores.postgres.write.inplace.toasting import Chunk, Toaster
from envclone.stores.postgres.write.inplace.work import Column, LeafWork, Replacement, Spilled

__all__ = ["HeapWriter", "Written"]

_PLAIN = (deform.FIXED, deform.SHORT, deform.LONG)


@dataclass(slots=True)
class Written:
    """What was done to one extent; `rows` and `values` count per address, `loose` chunks still need a place.

    A `deferred` extent was not written: its values are in the TOAST table, and the writer had no toaster.
    """

    pages: int = 0
    shared: int = 0
    bytes: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    values: dict[str, int] = field(default_factory=dict)
    spilled: list[Spilled] = field(default_factory=list)
    loose: list[Chunk] = field(default_factory=list)
    dirty: set[int] = field(default_factory=set)
    hidden: set[int] = field(default_factory=set)
    deferred: Extent | None = None


class HeapWriter:
    """Writes the extents of one relation; every process that takes part has its own.

    Without a toaster extents that need one are deferred, if `defer` is set: to know where the chunks of a TOAST table
    are the whole of it must be read, and most tables have only vectors there.
    """

    def __init__(
        self,
        work: LeafWork,
        masks: Mapping[str, FieldMask],
        transactions: Transactions,
        *,
        page_size: int,
        checksums: bool,
        toaster: Toaster | None,
        staged: StagedValues | None,
        defer: bool = False,
        earlier: Path | None = None,
    ) -> None:
        self._work = work
        self._earlier = earlier
        self._masks = masks
        self._transactions = transactions
        self._page_size = page_size
        self._checksums = checksums
        self._toaster = toaster
        self._staged = staged
        self._defer = defer

    def write(self, extent: Extent) -> Written:
        """Mask one extent. Raises UnsafeError when a page or a value cannot be understood or a pseudonym is refused."""
        done = Written()
        size = self._page_size
        with extent.path.open("rb", buffering=0) as file:
            file.seek(extent.offset)
            data = file.read(extent.pages * size)
        before, buffer = np.frombuffer(data, dtype=np.uint8).reshape(-1, size), bytearray(data)
        items = normal_items(before, self._work.relation.path)
        items = items.only(~dead(before, items, self._transactions))
        if len(items) and not _Batch(self, extent, buffer, items, done).run():
            return Written(deferred=extent)
        if self._toaster is not None:
            done.loose, done.dirty, done.hidden = self._toaster.loose, self._toaster.dirty, self._toaster.hidden
            self._toaster.loose, self._toaster.dirty, self._toaster.hidden = [], set(), set()
        self._save(extent, before, buffer, done)
        return done

    def _save(self, extent: Extent, before: npt.NDArray[np.uint8], buffer: bytearray, done: Written) -> None:
        size = self._page_size
        pages = np.frombuffer(buffer, dtype=np.uint8).reshape(-1, size)
        changed = np.flatnonzero((pages.view(np.uint64) != before.view(np.uint64)).any(axis=1))
        done.bytes = len(buffer)
        done.pages = len(changed)
        if not len(changed):
            return

        def later(some: npt.NDArray[np.uint8], numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
            cleaned = erased(some, self._work.relation, self._transactions)
            return self._summed(cleaned, extent.first_block + numbers)

        done.shared = put(
            extent.path,
            extent.offset,
            changed,
            self._summed(pages[changed], extent.first_block + changed),
            self._earlier,
            None if any(column.dropped for column in self._work.relation.attributes) else later,  # that takes long
        )

    def _summed(self, pages: npt.NDArray[np.uint8], blocks: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """Pages with their checksums, where the cluster has some."""
        if self._checksums:
            sums = page_checksums(pages, blocks.astype(np.uint32))
            pages[:, 8:10] = sums.astype("<u2").view(np.uint8).reshape(-1, 2)
        return pages

    @property
    def work(self) -> LeafWork:
        """What is to be done."""
        return self._work

    @property
    def toaster(self) -> Toaster | None:
        """What writes values that do not stand in the rows."""
        return self._toaster

    def mask(self, address: str) -> FieldMask:
        """The mask of a column."""
        return self._masks[address]

    @property
    def defer(self) -> bool:
        """Whether extents with values in the TOAST table are left for later."""
        return self._defer

    @property
    def staged(self) -> StagedValues | None:
        """The values that the server made."""
        return self._staged

    @property
    def page_size(self) -> int:
        """Bytes of a page."""
        return self._page_size


class _Batch:
    """The live rows of one extent on their way."""

    def __init__(self, writer: HeapWriter, extent: Extent, buffer: bytearray, items: Items, done: Written) -> None:
        self._writer = writer
        self._extent = extent
        self._buffer = buffer
        self._view = memoryview(buffer)
        self._flat = np.frombuffer(buffer, dtype=np.uint8)
        self._items = items
        self._done = done
        self._attributes = writer.work.relation.attributes
        self._new: dict[int, dict[int, Replacement]] = {}

    def run(self) -> bool:
        """Mask the rows in the buffer; False when nothing was done because the extent is deferred."""
        work, items = self._writer.work, self._items
        flat = self._flat
        base = items.page * self._writer.page_size + items.offset
        subjects = {c.subject[0] for c in work.columns if c.subject}
        targets = set(work.staging.targets) if work.staging else set()
        wanted = {c.index for c in work.columns} | subjects | targets
        found = deform.deform(flat, base, items.length, self._attributes, wanted)
        if self._writer.defer and any(
            (column.form[column.present] == deform.EXTERNAL).any() for column in found.values()
        ):
            return False
        # subjects first: a column that is one may be masked itself
        by = {c.index: self._texts(found[c.subject[0]], c.subject[1]) for c in work.columns if c.subject}
        for column in work.columns:
            self._column(column, found[column.index], by.get(column.index))
        if work.staging is not None:
            self._take_staged(found, work.staging.targets)
        for row, values in self._new.items():
            self._rebuild(row, values)
        return True

    def _column(self, column: Column, found: deform.Column, subjects: Sequence[Any] | None) -> None:
        rows = np.flatnonzero(found.present)
        present = self._present(found, rows, column.codec)
        given = present
        if subjects is not None:
            given = pairs(present, subjects if len(rows) == len(subjects) else [subjects[i] for i in rows.tolist()])
        try:
            masked = self._writer.mask(column.address)(given)
        except EnvcloneError as exc:
            mask = self._writer.mask(column.address)
            raise refused(exc, column.address, mask, given, lambda k: self._named(int(rows[k]))) from None
        if len(masked) != len(present):
            raise EnvcloneError(f"the mask of {column.address} returned {len(masked)} values for {len(present)}")
        attribute = self._attributes[column.index]
        changed = 0
        left: Sequence[int] = range(len(rows))
        ready: Mapping[int, bytes] = {}
        if self._standing(found):
            changed, left, ready = batches.put(self._flat, found.body[rows], found.end[rows], column.codec, masked)
        view, encode = self._view, column.codec.encode
        for k in left:
            old, new = present[k], masked[k]
            if old == new:
                continue
            changed += 1
            row = int(rows[k])
            b, e, form = int(found.body[row]), int(found.end[row]), int(found.form[row])
            raw = ready.get(k)
            if new is not None and form in _PLAIN:
                try:
                    raw = encode(new, bytes(view[b:e])) if raw is None else raw
                except UnsafeError as exc:
                    raise said_of(exc, column.address, self._named(row), _FITTING) from None
                if len(raw) == e - b:
                    view[b:e] = raw
                    continue
            try:
                replacement = self._replaced(column, attribute, form, bytes(view[b:e]), new, raw)
            except UnsafeError as exc:
                raise said_of(exc, column.address, self._named(row)) from None
            self._new.setdefault(row, {})[column.index] = replacement
        self._done.rows[column.address] = len(rows)
        self._done.values[column.address] = changed

    def _named(self, row: int) -> str:
        """A row by its key, as far as rules keep that, and by its address."""
        work, items, i = self._writer.work, self._items, slice(row, row + 1)
        base = (items.page * self._writer.page_size + items.offset)[i]
        wanted = {index for index, _, _ in work.keys}
        found = deform.deform(self._flat, base, items.length[i], self._attributes, wanted) if wanted else {}
        keys = []
        for index, name, codec in work.keys:
            (value,) = self._present(found[index], np.flatnonzero(found[index].present), codec)
            keys.append((name, value))
        part = f"{work.part} " if work.part else ""
        return named(keys, f"{part}ctid ({self._extent.first_block + int(items.page[row])},{int(items.number[row])})")

    def _standing(self, found: deform.Column) -> bool:
        """Whether every value of a column stands in its row as it is."""
        return not (found.form[found.present] >= deform.COMPRESSED).any()

    def _texts(self, found: deform.Column, codec: Codec) -> Sequence[Any]:
        """Each row's value as its codec gives it; None where there is none."""
        rows = np.flatnonzero(found.present)
        present = self._present(found, rows, codec)
        if len(rows) == len(found.present):
            return present
        out: list[Any] = [None] * len(found.present)
        for row, value in zip(rows.tolist(), present, strict=True):
            out[row] = value
        return out

    def _present(self, found: deform.Column, rows: Any, codec: Codec) -> Sequence[Any]:
        """The values of some rows, which have one."""
        body, end = found.body[rows], found.end[rows]
        if self._standing(found):
            many = batches.read(self._flat, body, end, codec)
            if many is not None:
                return many
        view, decode = self._view, codec.decode
        out: list[Any] = []
        for b, e, how in zip(body.tolist(), end.tolist(), found.form[rows].tolist(), strict=True):
            raw = bytes(view[b:e])
            out.append(decode(raw if how in _PLAIN else self._expanded(how, raw)))
        return out

    def _expanded(self, form: int, body: bytes) -> bytes:
        if form == deform.COMPRESSED:
            return varlena.expand(body)
        return self._toast().read(varlena.pointer(body))

    def _toast(self) -> Toaster:
        toaster = self._writer.toaster
        if toaster is None:
            raise UnsafeError(
                f"{self._writer.work.relation.name} points to a TOAST table that it does not have",
                hint="check production with pg_amcheck, and take a new snapshot",
            )
        return toaster

    def _replaced(
        self, column: Column, attribute: Attribute, form: int, body: bytes, new: Any, raw: bytes | None
    ) -> Replacement:
        """The stored form of a value that does not have the length or the form of the one before.

        `raw` is what it is plain, when that is known.
        """
        packable = attribute.storage != "p"
        if new is None:
            if not attribute.nullable:
                raise UnsafeError(f"{column.address}: its pseudonym is NULL, which the column does not allow")
            if form == deform.EXTERNAL:
                self._toast().replace(varlena.pointer(body), None)
            return Replacement(None)
        try:
            if raw is None:  # how a text is stored depends on nothing that was there, and one more copy may be large
                old = body if form in _PLAIN or column.codec.plain else self._expanded(form, body)
                raw = column.codec.encode(new, old)
        except UnsafeError as exc:
            raise UnsafeError(f"{column.address}: {exc.message}", hint=exc.hint or _FITTING) from None
        if form == deform.FIXED:
            return Replacement(raw, text=new)
        if form == deform.EXTERNAL:
            return Replacement(self._toast().replace(varlena.pointer(body), raw, packable=packable), text=new)
        if form == deform.COMPRESSED:
            method = struct.unpack_from("<I", body)[0] >> 30
            smaller = varlena.shrink(raw, method)
            if smaller is not None:
                return Replacement(varlena.compressed(smaller), raw, new)
        return Replacement(varlena.short_or_long(raw, packable=packable), raw, new)

    def _take_staged(self, found: Mapping[int, deform.Column], targets: Sequence[int]) -> None:
        """What the server made of the rows of this extent, where it differs from what is there."""
        staged = self._writer.staged
        assert staged is not None
        first = self._extent.first_block
        blocks, numbers = (self._items.page + first).tolist(), self._items.number.tolist()
        rows = {(block, number): i for i, (block, number) in enumerate(zip(blocks, numbers, strict=True))}
        for block, number, values in staged.between(first, first + self._extent.pages):
            row = rows.get((block, number))
            if row is None:
                raise UnsafeError(
                    f"row {block}/{number} of {self._writer.work.relation.name} is seen by the server, not in its page",
                    hint="report this as a bug; sanitize.method: sql is the way around",
                )
            for index, value in zip(targets, values, strict=True):
                column = found[index]
                old = bytes(self._view[column.start[row] : column.end[row]]) if column.present[row] else None
                replacement = self._staged_value(index, old, value)
                if replacement is not None:
                    self._new.setdefault(row, {})[index] = replacement

    def _staged_value(self, index: int, old: bytes | None, value: Any) -> Replacement | None:
        pointer = None
        if old is not None and self._attributes[index].length == -1 and old[0] == 1:
            pointer = varlena.pointer(old[2:])
        if isinstance(value, varlena.Pointer):  # of the staging table's own TOAST table
            assert self._writer.staged is not None
            stored = self._writer.staged.stored(value)
            method = value.method if value.compressed else 0
            if pointer is not None:
                return Replacement(self._toast().replace_stored(pointer, value.raw_size, stored, method))
            return Replacement(
                varlena.compressed(stored) if value.compressed else varlena.short_or_long(stored), stored
            )
        if value == old:
            return None
        if pointer is not None:
            self._toast().replace(pointer, None)
        return Replacement(value)

    def _rebuild(self, row: int, values: Mapping[int, Replacement]) -> None:
        size = self._writer.page_size
        page_index = int(self._items.page[row])
        number = int(self._items.number[row])
        page = self._view[page_index * size : (page_index + 1) * size]
        # the page may have been repacked for a row before
        (pointer,) = struct.unpack_from("<I", page, 24 + 4 * (number - 1))
        offset, length = pointer & 0x7FFF, pointer >> 17
        old = bytes(page[offset : offset + length])
        put = False
        if max(values) < struct.unpack_from("<H", old, 18)[0] & 0x07FF:  # else the row is older than the column
            put = fit.put(page, number, fit.rebuilt(old, self._attributes, {i: r.stored for i, r in values.items()}))
        if not put:
            self._done.spilled.append(Spilled(self._extent.first_block + page_index, number, dict(values)))


_FITTING = "choose a domain whose values fit, or keep"
