"""Maps of pages: what can be anything in them is searched besides."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from envclone.models import ByteClass
from envclone.stores.postgres.prove import otherfiles

PAGE = 8192
SAID = b"wolfhard.quenzelmann@corp.example"


def _tree(leaves: bytes, at: int) -> bytes:
    """A page of a map of free space whose nodes are right."""
    nodes = np.zeros(PAGE - 28, np.uint8)
    inner = PAGE // 2 - 1
    nodes[inner + at : inner + at + len(leaves)] = np.frombuffer(leaves, np.uint8)
    for node in range(inner - 1, -1, -1):
        nodes[node] = max(
            (int(nodes[child]) for child in (2 * node + 1, 2 * node + 2) if child < len(nodes)), default=0
        )
    return bytes(28) + nodes.tobytes()


def test_leaves_of_a_map_of_free_space_are_searched(tmp_path: Path) -> None:
    path = tmp_path / "1_fsm"
    content = _tree(b"\x07\x09", 3) + _tree(SAID, 900)
    path.write_bytes(content)
    classes, _, stretches = otherfiles._free_space(path, PAGE)
    assert [content[start:end] for start, end in stretches] == [SAID]
    assert ByteClass.UNDECODED not in classes and sum(classes.values()) == len(content)


def test_bits_of_a_map_of_visibility_are_searched(tmp_path: Path) -> None:
    path = tmp_path / "1_vm"
    said = bytes(0x55 | byte for byte in SAID)  # as if all were visible
    path.write_bytes(bytes(24) + b"\x03" * 3 + bytes(PAGE - 27) + bytes(124) + said + bytes(PAGE - 124 - len(said)))
    classes, _, stretches = otherfiles._visibility(path, PAGE)
    assert stretches == [(PAGE + 124, PAGE + 124 + len(said))]
    assert ByteClass.UNDECODED not in classes
