"""Hot loops, compiled by numba: written in Python, compiled once, kept in a directory that is its owner's alone.

A kernel is a function over numbers and arrays under `@kernel`; a room of kernels is a module of this package that
imports from here, and a function `warm()` in it runs each of its kernels once. Kernels check bounds themselves: an
index outside of an array is a wild read. With $ENVCLONE_BOUNDSCHECK they are compiled with checks, as in tests.

What is compiled is kept as pickle, which runs what it holds: the directory is private (0700), its owner's, under
ancestors that nobody else can write, and never shared. Each room has one, named by a digest of its source and of all
that it imports of this package: numba itself looks at one file, and would run the old code of a changed callee in
another one. What changes no kernel compiles none again.
"""

from __future__ import annotations

import importlib
import logging
import os
import pickle
import re
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

__all__ = ["Loop", "at_hand", "available", "frozen", "kernel", "late", "lean", "prepare", "reason"]

_PACKAGE = Path(__file__).parent
_MAKES = re.compile(r"^from envclone\.compiled import .*\b(kernel|lean|Loop)\b", re.MULTILINE)
_IMPORT = re.compile(r"^from (envclone[\w.]*) import (\([^)]*\)|[^\n]*)", re.MULTILINE)
_COMPLETE = "complete"
_NAME = re.compile(r"loops-[0-9a-f]{16}")
_OLD = 30 * 86400
"""Seconds after which what nobody loads is removed."""
_COMPILING = "compiling the loops of image making: once, about a minute"


def available() -> bool:
    """Whether loops are compiled here."""
    return not reason()


@cache
def reason() -> str:
    """Why loops are not compiled here; '' when they are."""
    if os.environ.get("ENVCLONE_NO_COMPILE"):
        return "ENVCLONE_NO_COMPILE is set"
    try:
        importlib.import_module("numba")
    except Exception as error:  # noqa: BLE001  numba refuses versions of numpy and of Python in its own ways
        return f"numba cannot be imported ({error})"
    return ""


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function at its first call, for the types that it is called with; only where `available()`.

    Elsewhere it is given back as it is, for tools that read modules: nothing calls it there.
    """
    return _made(function)


def lean(function: Callable[..., Any]) -> Any:
    """A kernel that makes no array: numba then counts no references, which takes as long as what small ones do."""
    return _made(function, _nrt=False)


def _made(function: Callable[..., Any], **options: Any) -> Any:
    if not available():
        return function
    import numba
    from numba.core import config

    place = _place(Path(function.__code__.co_filename))
    if not (place / _COMPLETE).exists():
        _TELLER.once(logging.getLogger(__name__).warning, _COMPILING)
    settings: Any = config
    before, settings.CACHE_DIR = settings.CACHE_DIR, str(place)
    try:
        return numba.njit(cache=True, nogil=True, error_model="numpy", boundscheck=_checked(), **options)(function)
    finally:
        settings.CACHE_DIR = before


def at_hand() -> bool:
    """Whether every kernel is compiled, so that `prepare` only has to load them."""
    return available() and all((_place(path) / _COMPLETE).exists() for path in _rooms())


def prepare(say: Callable[[str], None]) -> None:
    """Load every kernel, and compile those that are not; `say` is told when that takes time, or cannot be done."""
    why = reason()
    if why:
        _TELLER.once(say, f"loops are not compiled here, and images take many times longer: {why}")
        return
    places = [_place(path) for path in _rooms()]
    before = {place: set(_kept(place)) for place in places}
    if not all((place / _COMPLETE).exists() for place in places):
        _TELLER.once(say, _COMPILING)
    for path in _rooms():
        room = importlib.import_module(".".join(path.relative_to(_PACKAGE.parent).with_suffix("").parts))
        if hasattr(room, "warm"):
            room.warm()
    for place in places:
        complete, kept = place / _COMPLETE, set(_kept(place))
        if complete.exists():  # what was compiled late in another run stays so
            kept = kept - before[place] | set(complete.read_text().split())
        _write(complete, kept)
    _clear(places)


def _write(complete: Path, kept: set[str]) -> None:
    """Whole or not at all: another process may read it just now, and take what it misses for compiled late."""
    if complete.exists() and set(complete.read_text().split()) == kept:
        complete.touch()
        return
    with tempfile.NamedTemporaryFile("w", dir=complete.parent, prefix=".complete-", delete=False) as file:
        file.write("".join(f"{name}\n" for name in sorted(kept)))
    Path(file.name).replace(complete)


def late() -> list[str]:
    """The forms of kernels that were compiled after `prepare` had run: somebody waited for each of them.

    A form is a kernel and the types that it is called with. numba compiles one again for another processor.
    """
    found: set[str] = set()
    for place in map(_place, _rooms()):
        if (place / _COMPLETE).exists():
            before = set((place / _COMPLETE).read_text().split("\n"))
            more = set(_kept(place)) - before
            found |= _forms(place, more) - _forms(place, before) if more else set()
    return sorted(found)


def _forms(place: Path, names: set[str]) -> set[str]:
    """What is compiled under some names, as numba's own index of a kernel says it."""
    found: set[str] = set()
    for path in sorted(place.rglob("*.nbi")):
        with path.open("rb") as opened:
            pickle.load(opened)  # numba's version  # noqa: S301 - private (`_is_private`), as what is compiled is
            _, forms = pickle.loads(opened.read())  # noqa: S301 - the same
        above = path.parent.relative_to(place)
        found |= {f"{path.stem} {key[0]}" for key, name in forms.items() if (above / name).as_posix() in names}
    return found


def frozen(array: Any) -> Any:
    """A view of an array that cannot be written to: for a kernel, of the same type as an array over bytes.

    A kernel is compiled once more for each type, and arrays that can be written to are another one.
    """
    view = array.view()
    view.flags.writeable = False
    return view


class Loop:
    """A function over numbers and arrays, compiled when it is first called.

    Interpreted it is given bytes, bytearrays and lists instead of arrays, whose items Python reads faster.
    """

    def __init__(self, function: Callable[..., int]) -> None:
        self._function = function
        self._compiled: Callable[..., int] | None = None

    def __call__(self, *args: Any) -> int:
        """Run it on arrays when `available()`, else on Python's own sequences; returns its number."""
        if self._compiled is None:
            self._compiled = kernel(self._function)
            assert self._compiled is not None
        return int(self._compiled(*args))


class _Teller:
    """Says the one thing there is to say, once in a process."""

    def __init__(self) -> None:
        self._said = False

    def once(self, say: Callable[[str], None], text: str) -> None:
        if not self._said:
            self._said = True
            say(text)


_TELLER = _Teller()


def _checked() -> bool:
    return bool(os.environ.get("ENVCLONE_BOUNDSCHECK"))


@cache
def _rooms() -> tuple[Path, ...]:
    """The modules with kernels."""
    return tuple(path for path in sorted(_PACKAGE.rglob("*.py")) if _MAKES.search(path.read_text(encoding="utf-8")))


@cache
def _imported(path: Path) -> frozenset[Path]:
    """The modules of this package that one imports itself: a kernel can hold what they define."""
    found: set[Path] = set()
    for module, names in _IMPORT.findall(path.read_text(encoding="utf-8")):
        base = _PACKAGE.parent / module.replace(".", "/")
        found.add(base.with_suffix(".py"))
        found |= {base / f"{name}.py" for name in re.findall(r"\w+", names)}
    return frozenset(one for one in found if one.exists())


def _sources(room: Path) -> list[Path]:
    """A room, and all of this package that it imports, however far."""
    found, left = {room}, [room]
    while left:
        more = _imported(left.pop()) - found
        found |= more
        left += more
    return sorted(found)


def _digest(room: Path) -> str:
    import numba

    state = blake2b(f"{sys.version} {numba.__version__} {_checked()}".encode(), digest_size=8)
    for path in _sources(room):
        content = path.read_bytes()
        state.update(f"{path} {len(content)} ".encode() + content)
    return state.hexdigest()


@cache
def _place(room: Path) -> Path:
    """The directory for what is compiled of a room. Where there is none to keep it in, one for this process alone."""
    name = f"loops-{_digest(room)}"
    for parent in _parents():
        try:
            parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            place = parent / name
            place.mkdir(mode=0o700, exist_ok=True)
            if _is_private(place) and os.access(place, os.W_OK):
                return place
        except OSError:
            continue
    place = _own() / name
    place.mkdir(mode=0o700, exist_ok=True)
    return place


@cache
def _own() -> Path:
    return Path(tempfile.mkdtemp(prefix="envclone-loops-"))


def _kept(place: Path) -> list[str]:
    """What is compiled: a name for each kernel and form."""
    return sorted(path.relative_to(place).as_posix() for path in place.rglob("*.nbc"))


def _clear(places: list[Path]) -> None:
    """Remove what other versions compiled and nobody has loaded for a month."""
    for other in (other for parent in {place.parent for place in places} for other in parent.glob("loops-*")):
        try:
            last = (other / _COMPLETE).stat().st_mtime
        except OSError:  # half compiled, perhaps just now
            last = other.lstat().st_mtime if other.exists() else time.time()
        if other not in places and _NAME.fullmatch(other.name) and time.time() - last > _OLD and _is_private(other):
            shutil.rmtree(other, ignore_errors=True)


def _parents() -> Iterator[Path]:
    given = os.environ.get("XDG_CACHE_HOME")
    if given and Path(given).is_absolute():
        yield Path(given) / "envclone"
    try:
        home = Path.home()
    except RuntimeError:
        home = Path("/")
    if home != Path("/"):
        yield home / ".cache" / "envclone"
    yield Path(tempfile.gettempdir()) / f"envclone-{os.geteuid()}"


def _is_private(place: Path) -> bool:
    """Whether nobody but this user and root can change what is in a directory, or put another one in its place."""
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        return False
    for above in place.resolve().parents:
        found = above.stat()
        if found.st_uid not in (0, os.geteuid()) or (found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX):
            return False
    return True


if __name__ == "__main__":
    # imported under its own name: this run of the module has another state
    importlib.import_module("envclone.compiled").prepare(lambda text: sys.stderr.write(f"{text}\n"))
