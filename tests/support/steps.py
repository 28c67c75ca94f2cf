"""The steps of sanitization, as the source lists them: what the functions that conduct it call."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator
from types import ModuleType

__all__ = ["CONDUCTORS", "steps"]

CONDUCTORS = (
    "envclone.lifecycle.sanitize:sanitize",
    "envclone.lifecycle.publish:publish",
    "envclone.stores.postgres.session:PostgresSession.defang",
    "envclone.stores.postgres.session:PostgresSession.finish",
    "envclone.stores.postgres.rights.demotion:take_rights",
    "envclone.stores.postgres.scrub.defang:defang",
    "envclone.stores.postgres.scrub.residue:scrub",
    "envclone.stores.postgres.scrub.residue:_heaps",
    "envclone.stores.postgres.scrub.residue:_files",
    "envclone.stores.postgres.scrub.residue:_wal",
    "envclone.stores.postgres.scrub.blanks:Eraser._erase",
    "envclone.stores.postgres.scrub.blanks:Eraser._blank",
    "envclone.stores.postgres.scrub.blanks:_blanked",
    "envclone.stores.postgres.write.inplace.writer:_Rewriting.run",
    "envclone.stores.postgres.write.inplace.writer:_Rewriting._stage",
    "envclone.stores.postgres.write.inplace.writer:_Rewriting._on_files",
    "envclone.stores.postgres.write.rewrite:rewrite_table",
    "envclone.stores.qdrant.session:QdrantSession.rewrite",
    "envclone.stores.qdrant.session:open_session",
    "envclone.stores.qdrant.residue:scrub",
)
"""The functions that do nothing but call the steps in their order, as `module:function`."""


def steps() -> frozenset[str]:
    """Every function or method of the package that a conductor calls, as `conductor's module.name`, once."""
    return frozenset(name for conductor in CONDUCTORS for name in _called(conductor))


def _called(conductor: str) -> Iterator[str]:
    module_name, _, qualified = conductor.partition(":")
    module = importlib.import_module(module_name)
    node: ast.AST = ast.parse(inspect.getsource(module))
    for part in qualified.split("."):
        node = next(
            child
            for child in ast.iter_child_nodes(node)
            if isinstance(child, ast.FunctionDef | ast.ClassDef) and child.name == part
        )
    short = module_name.removeprefix("envclone.").removeprefix("stores.")
    inside = {name for child in ast.walk(node) if isinstance(child, ast.ImportFrom) for name in _imported(child)}
    for call in (child for child in ast.walk(node) if isinstance(child, ast.Call)):
        name = ast.unparse(call.func)
        if _ours(module, name, inside):
            yield f"{short}: {name}"


def _imported(node: ast.ImportFrom) -> Iterator[str]:
    if (node.module or "").startswith("envclone"):
        yield from (alias.asname or alias.name for alias in node.names)


def _ours(module: ModuleType, name: str, inside: set[str]) -> bool:
    """Whether a called name is a function of the package, and no class: a class is made, and does nothing yet."""
    first, _, rest = name.partition(".")
    if first in ("self", "session", "sessions", "hooks", "eraser", "writer", "project") and rest.isidentifier():
        return True
    if first in inside:
        return rest.isidentifier() or (not rest and first.islower())
    found = getattr(module, first, None)
    if inspect.ismodule(found) and found.__name__.startswith("envclone"):
        return callable(getattr(found, rest, None)) and not inspect.isclass(getattr(found, rest))
    return inspect.isfunction(found) and found.__module__.startswith("envclone") and not rest
