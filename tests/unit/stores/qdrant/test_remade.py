"""Two makings of one storage directory: what the engine orders by itself, and what makes another image."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from envclone.stores.qdrant.remade import alike

SEGMENT = "storage/collections/kb/0/segments/one"


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    one, other = tmp_path / "one", tmp_path / "other"
    for name in (
        f"{SEGMENT}/payload_storage/page_0.dat",
        f"{SEGMENT}/payload_index/author-map/values_to_points.bin",
        f"{SEGMENT}/vector_index/graph.bin",
        "storage/collections/kb/0/wal/closed-2",
    ):
        (one / name).parent.mkdir(parents=True, exist_ok=True)
        (one / name).write_bytes(b"1234")
    shutil.copytree(one, other)
    return one, other


def test_all_is_the_same(two: tuple[Path, Path]) -> None:
    found = alike(*two)
    assert (found.same, found.built, found.own, found.different) == (16, 0, (), ())


def test_what_the_engine_orders_and_its_log_need_not_be(two: tuple[Path, Path]) -> None:
    (two[1] / SEGMENT / "payload_index/author-map/values_to_points.bin").write_bytes(b"2143")
    (two[1] / "storage/collections/kb/0/wal/closed-2").rename(two[1] / "storage/collections/kb/0/wal/closed-3")
    found = alike(*two)
    assert (found.same, found.built, found.different) == (8, 4, ())


@pytest.mark.parametrize(
    "name, content, said",
    [
        (f"{SEGMENT}/payload_storage/page_0.dat", b"1235", "other bytes"),
        (f"{SEGMENT}/vector_index/graph.bin", b"123", "other bytes"),
        (f"{SEGMENT}/payload_index/author-map/values_to_points.bin", b"12345", "other bytes"),
        (f"{SEGMENT}/more.bin", b"", "only the second making has it"),
    ],
)
def test_everything_else_is_another_image(two: tuple[Path, Path], name: str, content: bytes, said: str) -> None:
    (two[1] / name).write_bytes(content)
    assert list(alike(*two).different) == [f"{name}: {said}"]
