"""No test sleeps for a fixed time and hopes: a sleep stands in a loop that looks, or it is the moment of an attack."""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).parents[2]
MOMENTS = {
    "tests/integration/test_faults.py",  # kills at random moments of a command's whole time
    "tests/security/commands/test_signals.py",
}


def _sleeps(tree: ast.AST, looping: bool = False) -> list[int]:
    found = []
    for node in ast.iter_child_nodes(tree):
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Attribute) and called.attr == "sleep" and not looping:
            found.append(node.lineno)
        found += _sleeps(node, looping or isinstance(node, ast.While | ast.For | ast.AsyncFor))
    return found


def test_a_sleep_stands_in_a_loop_that_looks() -> None:
    offenders = [
        f"{path.relative_to(TESTS.parent)}:{line}"
        for path in sorted(TESTS.rglob("*.py"))
        if str(path.relative_to(TESTS.parent)) not in MOMENTS
        for line in _sleeps(ast.parse(path.read_text()))
    ]
    assert offenders == []


def test_a_hopeful_sleep_is_found() -> None:
    assert _sleeps(ast.parse("def test():\n    start()\n    time.sleep(1)\n")) == [3]
    assert _sleeps(ast.parse("while not done():\n    time.sleep(1)\n")) == []
