"""A stack file that was found valid is not checked again while nothing of it has changed.

Reading, checking and importing what checks takes longer than a clone. So a valid stack file's values are written down
in a directory that only this user enters, under digests of every file that they come from. What may be a secret is left
out, and so is a stack file whose values depend on variables: who asks for what was left out has the file read.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import hashlib
import json
import os
import stat
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from envclone.accounts import MACHINE, make_enterable
from envclone.config.stack import LoadedStack
from envclone.errors import ConfigError
from envclone.private import write_private

if TYPE_CHECKING:
    from envclone.config.schema import StackFile

__all__ = ["digest_of_rules", "load"]

_LEFT_OUT = frozenset(("source", "environment", "settings", "url"))
"""Keys below which a password may stand."""
_KEPT = 64
"""So many stack files are remembered; the ones used longest ago go first."""
_LIMIT = 4 << 20


class _LeftOut(Exception):
    """A value that is not written down."""


def load(path: Path) -> LoadedStack:
    """Read a stack file as `envclone.config.load` does; one that is as it was found valid before is not checked."""
    place = _place(path)
    if (found := _recall(place, path)) is not None:
        return found
    from envclone.config import load as reading

    before = _digest(path)
    loaded = reading.load(path)
    if before is not None and reading.settled(loaded):
        files = {str(path.parent / name): "" for name in loaded.stack.include}
        document = {
            "marks": _marks(path),
            "files": {name: _digest(Path(name)) for name in [str(path), *files]},
            "stack": _plain(loaded.stack),
        }
        if document["files"][str(path)] == before:  # else it was written to meanwhile
            with contextlib.suppress(OSError, ConfigError):
                _remember(place, document)
            loaded = replace(loaded, sanitizing=_sanitizing(document))
    return loaded


def digest_of_rules(loaded: LoadedStack, hooks: Sequence[str], make: Callable[[], str]) -> str:
    """What `make` says that the rules of a stack file come to; asked again when anything that decides it is another.

    `hooks` are the files that the rules name, too.
    To make it takes the rooms of hooks and masks, for which a branch's start would wait.
    """
    config = loaded.stack.sanitize
    if not loaded.sanitizing or config.presidio is not None:
        return make()
    place = _place(loaded.path).with_suffix(".rules")
    decisive = [
        loaded.sanitizing,
        _code(Path(__file__).parents[1] / "masking", ".py"),
        _code(Path(__file__).parents[1] / "masking" / "data", ""),
        *(_digest(loaded.directory / file) for file in hooks),
    ]
    if None in decisive:
        return make()  # it says what is missing
    of = hashlib.blake2b(json.dumps([*decisive, sys.version]).encode(), digest_size=32).hexdigest()
    known = _document(place)
    if known is not None and known.get("of") == of and isinstance(known.get("rules"), str):
        return str(known["rules"])
    made = make()
    with contextlib.suppress(OSError):
        _remember(place, {"of": of, "rules": made})
    return made


def _sanitizing(document: Mapping[str, Any]) -> str:
    plain = document["stack"].get("part", {}).get("sanitize")
    return hashlib.blake2b(json.dumps(plain, sort_keys=True).encode(), digest_size=32).hexdigest() if plain else ""


class _Kept:
    """A part of a stack file: the values that were written down, and for anything else the part itself."""

    __slots__ = ("_values", "_whole")

    def __init__(self, values: Mapping[str, Any], whole: Callable[[], Any]) -> None:
        self._values = values
        self._whole = whole

    def __getattr__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            return getattr(self._whole(), name)


class _Later(Mapping[Any, Any]):
    """A mapping that is made when somebody looks into it."""

    def __init__(self, make: Callable[[], Mapping[Any, Any]]) -> None:
        self._make = make

    def __getitem__(self, key: Any) -> Any:
        return self._make()[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._make())

    def __len__(self) -> int:
        return len(self._make())


def _recall(place: Path, path: Path) -> LoadedStack | None:
    document = _document(place)
    if document is None or document.get("marks") != _marks(path) or "stack" not in document:
        return None
    files: dict[str, str] = document.get("files") or {}
    if not files or any(_digest(Path(name)) != digest for name, digest in files.items()):
        return None

    @functools.cache
    def whole() -> LoadedStack:
        from envclone.config import load as reading

        loaded = reading.load(path)
        if _plain(loaded.stack) != document["stack"]:
            raise ConfigError(f"the stack file {path} was changed while it was in use", hint="run the command again")
        return loaded

    stack = _value(document["stack"], lambda: whole().stack)
    later = _Later(lambda: whole().lines), _Later(lambda: whole().raw)
    return LoadedStack(cast("StackFile", stack), path, os.environ, *later, _sanitizing(document))


def _plain(value: Any) -> Any:
    """A value of the schema as JSON that says of what type it is. Raises _LeftOut for what is not written down."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return {"list": [_plain(item) for item in value]}
    if isinstance(value, dict):
        return {"dict": {str(key): _plain(item) for key, item in value.items()}}
    if isinstance(value, Path):
        return {"path": str(value)}
    if isinstance(value, dt.timedelta):
        return {"seconds": value.total_seconds()}
    fields = getattr(type(value), "model_fields", None)
    if fields is None:
        raise _LeftOut
    kept = {}
    for name in fields:
        if name not in _LEFT_OUT:
            with contextlib.suppress(_LeftOut):
                kept[name] = _plain(getattr(value, name))
    return {"part": kept}


def _value(plain: Any, whole: Callable[[], Any]) -> Any:
    """What `_plain` wrote down; `whole` gives the same from the file."""
    if not isinstance(plain, dict):
        return plain
    ((kind, held),) = plain.items()
    if kind == "list":
        return [_value(item, functools.partial(lambda i: whole()[i], index)) for index, item in enumerate(held)]
    if kind == "dict":
        return {key: _value(item, functools.partial(lambda k: whole()[k], key)) for key, item in held.items()}
    if kind == "part":
        parts = {
            name: _value(item, functools.partial(lambda n: getattr(whole(), n), name)) for name, item in held.items()
        }
        return _Kept(parts, whole)
    return Path(held) if kind == "path" else dt.timedelta(seconds=held)


def _marks(path: Path) -> list[str]:
    """What else decides the values: the code that checks them, where the file is, and whose home `~` is."""
    code = _code(Path(__file__).parent, ".py", ".yaml")
    return [code, str(path.expanduser().absolute()), os.environ.get("HOME", "")]


def _code(folder: Path, *endings: str) -> str:
    """What changes with the files of a folder of this package."""
    code = hashlib.blake2b(digest_size=16)
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda one: one.name):
            if entry.name.endswith(endings) and entry.is_file():
                status = entry.stat()
                code.update(f"{entry.name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return code.hexdigest()


def _digest(path: Path) -> str | None:
    try:
        return hashlib.blake2b(path.read_bytes(), digest_size=32).hexdigest()
    except (OSError, ValueError):
        return None


def _folder() -> Path:
    if os.geteuid() == 0:
        return MACHINE / "stacks"
    cache = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(cache) if cache.startswith("/") else Path.home() / ".cache") / "envclone" / "stacks"


def _place(path: Path) -> Path:
    name = os.fsencode(path.expanduser().absolute())
    return _folder() / f"{hashlib.blake2b(name, digest_size=12).hexdigest()}.json"


def _document(place: Path) -> dict[str, Any] | None:
    """What is written down there; None when that is nothing, or can be anybody else's."""
    try:
        if not _ours(os.lstat(place.parent)):
            return None
        descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not _ours(status) or not stat.S_ISREG(status.st_mode) or status.st_size > _LIMIT:
                return None
            document = json.loads(file.read())
    except (OSError, ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _ours(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid() and not status.st_mode & 0o077


def _remember(place: Path, document: Mapping[str, Any]) -> None:
    folder = place.parent
    if folder.parent == MACHINE:
        make_enterable(MACHINE)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _ours(os.lstat(folder)):
        return
    write_private(place, json.dumps(document))
    others = sorted((entry.stat().st_mtime_ns, entry.path) for entry in os.scandir(folder) if entry.path != str(place))
    for _, name in others[: max(0, len(others) - _KEPT + 1)]:
        Path(name).unlink(missing_ok=True)
