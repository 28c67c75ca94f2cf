"""A download goes on where it was cut, and ends with the bytes that the server promised or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from envclone.config.schema import StoreConfig
from envclone.errors import ResourceError, UnsafeError
from envclone.models import Secret
from envclone.stores.qdrant.live import take as taking
from envclone.stores.qdrant.live.client import Client, Failed, Waits
from envclone.stores.qdrant.live.download import download
from envclone.stores.qdrant.live.take import take
from tests.support.qdrant_server import KEY, Fleet, Handler, Node, dropped, once, says, serving, source

QUICK = Waits(connect=2.0, silence=0.3, making=2.0, between=0.01)
FILE = "GET .*/snapshots/.*"
DATA = os.urandom(3 << 20)


@pytest.fixture
def node() -> Iterator[Node]:
    """A server with one snapshot of its own."""
    with serving(Fleet({"articles": 1})) as (made,):
        made.made["articles", 0] = {"x.snapshot": DATA}
        yield made


def _received(node: Node, **more: Any) -> tuple[bytes, list[int]]:
    about = node.described("x", DATA)
    counts: list[int] = []
    with tempfile.TemporaryFile() as file:
        download(
            Client(node.url, Secret(KEY), waits=QUICK),
            "/collections/articles/shards/0/snapshots/x.snapshot",
            file.fileno(),
            **{"size": about["size"], "checksum": about["checksum"], "told": counts.append, **more},
        )
        file.seek(0)
        return file.read(), counts


def _cut(after: int) -> Any:
    def fault(handler: Handler) -> bool:
        handler.file(DATA, cut=after)
        return True

    return fault


def test_it_comes_whole(node: Node) -> None:
    data, counts = _received(node)
    assert data == DATA and sum(counts) == len(DATA) and len(node.asked) == 1


def test_it_goes_on_where_it_was_cut_however_often(node: Node) -> None:
    node.faults = [(FILE, once(_cut(1_000_000))), (FILE, once(dropped)), (FILE, once(_cut(1))), (FILE, once(_cut(0))),
                   (FILE, once(says(503, ""))), (FILE, once(_cut(500_000)))]  # fmt: skip
    data, counts = _received(node)
    assert data == DATA and sum(counts) == len(DATA) and len(node.asked) == 7


def test_a_server_that_knows_no_ranges_begins_again(node: Node) -> None:
    node.ranges = False
    node.faults = [(FILE, once(_cut(1_000_000)))]
    data, counts = _received(node)
    assert data == DATA and sum(counts) == len(DATA) + 1_000_000


def test_one_that_hangs_in_the_middle_is_asked_again(node: Node) -> None:
    def slow(handler: Handler) -> bool:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(DATA)))
        handler.end_headers()
        handler.wfile.write(DATA[:1000])
        handler.wfile.flush()
        handler.rfile.read(1)  # until the client gives up
        return dropped(handler)

    node.faults = [(FILE, once(slow))]
    assert _received(node)[0] == DATA


def test_one_that_brings_nothing_more_is_given_up(node: Node) -> None:
    node.faults = [(FILE, once(_cut(1000))), (FILE, dropped)]
    with pytest.raises(Failed, match=f"broke off after 1000 of {len(DATA)} bytes, 6 times"):
        _received(node)
    node.faults = [(FILE, says(401, "Invalid API key or JWT"))]
    with pytest.raises(Failed, match="does not know the API key"):
        _received(node)


def test_a_flipped_bit_is_asked_for_again_and_a_second_one_refused(node: Node) -> None:
    def flipped(handler: Handler) -> bool:
        handler.file(bytes([DATA[0] ^ 1]) + DATA[1:])
        return True

    node.faults = [(FILE, once(flipped))]
    assert _received(node)[0] == DATA
    node.faults = [(FILE, flipped)]
    with pytest.raises(UnsafeError, match="does not have the checksum that the server gave for it, twice"):
        _received(node)


def test_what_came_before_the_cut_counts_for_the_checksum(node: Node) -> None:
    def other(handler: Handler) -> bool:
        handler.file(bytes(len(DATA)), cut=1_000_000)
        return True

    node.faults = [(FILE, once(other))]
    assert _received(node)[0] == DATA and len(node.asked) == 3  # the cut one, its rest, and all of it again


def test_more_or_less_than_promised_is_refused(node: Node) -> None:
    with pytest.raises(UnsafeError, match="not of the size"):
        _received(node, size=len(DATA) - 1)
    node.faults = [(FILE, once(_cut(1000)))]
    with pytest.raises(UnsafeError, match="not of the size"):
        _received(node, size=len(DATA) + 1)


def test_a_full_disk_is_no_fault_of_the_server(node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = StoreConfig.model_validate({"kind": "qdrant", "source": source(node)})

    def full(*arguments: object, **named: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        with pytest.raises(ResourceError, match=r"cannot be written.*No space left"):
            take("kb", config, tmp_path, lambda event: None, waits=QUICK)
    assert node.left == ["x.snapshot"] and list(tmp_path.rglob("*.snapshot")) == []
    monkeypatch.setattr(taking, "_ROOM", 1 << 60)
    with pytest.raises(ResourceError, match="MiB left, and a shard needs"):
        take("kb", config, tmp_path, lambda event: None, waits=QUICK)
    assert node.left == ["x.snapshot"]
