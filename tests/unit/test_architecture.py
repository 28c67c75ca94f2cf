"""The walls: who may import whom, who may spawn, who may print, and that exports are what they say."""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

import envclone
from envclone import process

PACKAGE = Path(envclone.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))


def _name(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


@dataclass(frozen=True)
class _Told:
    """What the tests here ask of a module; its millions of nodes are not kept for the rest of the run."""

    imports: frozenset[str]
    of_os: frozenset[str]
    """What it takes from `os`."""
    calls: frozenset[str]
    """What it calls by a bare name."""


@cache
def _told(path: Path) -> _Told:
    """Each module is read and parsed once for all tests here."""
    nodes = [*ast.walk(ast.parse(path.read_text()))]
    return _Told(
        frozenset(name for node in nodes for name in _imported(node)),
        frozenset(
            node.attr
            for node in nodes
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os"
        ),
        frozenset(node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)),
    )


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _offenders(importer: str, forbidden: str, *, allowed: tuple[str, ...] = ()) -> list[str]:
    return sorted(
        {
            f"{_name(path)} imports {name}"
            for path in MODULES
            if _name(path).startswith(importer)
            for name in _told(path).imports
            if not _name(path).startswith(allowed or "-") and (name == forbidden or name.startswith(f"{forbidden}."))
        }
    )


def test_nothing_imports_the_commands() -> None:
    assert _offenders("envclone", "envclone.cli", allowed=("envclone.cli", "envclone.__main__")) == []


@pytest.mark.parametrize("adapter", ["envclone.stores", "envclone.runtimes"])
def test_the_lifecycle_knows_no_adapter(adapter: str) -> None:
    assert _offenders("envclone.lifecycle", adapter) == []
    assert _offenders("envclone.verifier", adapter) == []
    assert _offenders("envclone.api", adapter) == []


def test_masks_know_no_store_and_no_configuration() -> None:
    for forbidden in ("envclone.stores", "envclone.config", "envclone.lifecycle", "envclone.cow", "psycopg"):
        assert _offenders("envclone.masking", forbidden) == []


def test_stores_know_neither_stations_nor_each_other() -> None:
    assert _offenders("envclone.stores", "envclone.lifecycle") == []
    assert _offenders("envclone.stores.postgres", "envclone.stores.qdrant") == []
    assert _offenders("envclone.stores.qdrant", "envclone.stores.postgres") == []


def test_one_module_spawns_processes() -> None:
    assert _offenders("envclone", "subprocess", allowed=("envclone.process",)) == []
    spawning = {"system", "popen", "fork", "execv", "execvpe", "posix_spawn", "spawnv"}
    for path in MODULES:
        # programs, a copy that looks on, and one that stays at the door of a cage
        if _name(path) not in ("envclone.process", "envclone.aside", "envclone.cage.doorway"):
            assert not _told(path).of_os & spawning, path


def test_only_commands_print() -> None:
    for path in MODULES:
        if not _name(path).startswith("envclone.cli"):
            assert "print" not in _told(path).calls, path


def test_yaml_is_only_loaded_safely() -> None:
    for path in MODULES:
        assert "yaml.load(" not in path.read_text() or "SafeLoader" in path.read_text(), path


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_exports_are_what_they_say(path: Path) -> None:
    module = importlib.import_module(_name(path))
    for name in getattr(module, "__all__", ()):
        assert hasattr(module, name), f"{_name(path)}.__all__ names {name}"


def test_a_branch_waits_for_no_arrays_and_no_driver() -> None:
    """What makes and starts a branch imports nothing that takes long: numpy alone takes as long as the rest."""
    modules = (
        "api",
        "cli.branch",
        "lifecycle.branch",
        "lifecycle.images",
        "stores.postgres.server.service",
        "runtimes.local",
    )
    names = ", ".join(f"envclone.{name}" for name in modules)
    slow = ("numpy", "numba", "docker", "psycopg", "asyncio", "pydantic", "email", "importlib.metadata", "rich",
            "envclone.models.data", "envclone.protocols", "envclone.masking", "envclone.hooks.worker",
            "envclone.lifecycle.snapshot", "envclone.lifecycle.moment", "envclone.pool.notes")  # fmt: skip
    text = f"import sys, {names}; print([name for name in {slow} if name in sys.modules])"
    said = process.run([sys.executable, "-c", text], env={"PYTHONPATH": str(PACKAGE.parent)}).stdout
    assert said.strip() == "[]"
