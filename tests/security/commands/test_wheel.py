"""The wheel: built from the tree with the locked tools, whole without the tree, and the lock is what is installed."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import envclone
from tests.support.postgres import scratch

ROOT = Path(__file__).parents[3]
LOCK = ROOT / "requirements.lock"


def _run(*argv: str | Path, cwd: Path) -> str:
    done = subprocess.run([str(a) for a in argv], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{argv}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("wheel")
    tree = place / "tree"
    tree.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "envclone", "docs"):
        (tree / name).symlink_to(ROOT / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--no-deps", "--no-build-isolation"]
    _run(*pip, "--wheel-dir", place, tree, cwd=place)
    (found,) = place.glob("envclone-*.whl")
    return found


def test_it_works_without_the_tree(wheel: Path, tmp_path: Path) -> None:
    """In an environment of its own that has the locked packages and nothing of this folder."""
    _run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv", cwd=tmp_path)
    (site,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    (here,) = [path for path in sys.path if path.endswith("site-packages")]
    (site / "locked.pth").write_text(f"{here}\n")
    python = tmp_path / "venv" / "bin" / "python"
    where = _run(python, "-I", "-c", "import envclone; print(envclone.__file__)", cwd=tmp_path).strip()
    assert where.startswith(str(site))
    called = [python, "-I", "-m", "envclone.cli.main"]
    assert "branch" in _run(*called, "--help", cwd=tmp_path)
    assert json.loads(_run(*called, "config", "schema", cwd=tmp_path))["properties"]
    _run(*called, "init", cwd=tmp_path)
    assert (tmp_path / "envclone.yaml").exists()


def test_it_holds_its_data(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    for wanted in ("envclone/py.typed", "envclone/masking/data/names.txt", "envclone/config/starter.yaml"):
        assert wanted in names
    assert "envclone/runtimes/docker/preview.yaml" in names
    assert any(name.endswith("share/doc/envclone/first-hour.md") for name in names)
    with zipfile.ZipFile(wheel) as archive:
        (said,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        metadata = archive.read(said).decode()
    assert f"\nVersion: {envclone.__version__}\n" in metadata and "\nLicense-File: LICENSE\n" in metadata


def test_a_core_install_needs_no_extra_and_says_which_one_it_lacks(wheel: Path) -> None:
    """Only the core's packages of the lock are there: the first commands work, the demo names its extra."""
    core, demo = _closure(wheel, set()), _closure(wheel, {"demo"})
    assert not core & {"presidio-analyzer", "spacy", "faker", "docker", "qdrant-client", "grpcio", "pgvector"}
    compiling = {"numba", "llvmlite", "numpy"}
    megabytes = sum(_bytes(name) for name in core - compiling) / 1e6
    print(f"{megabytes:.0f} MB beside {', '.join(sorted(compiling))}")
    assert megabytes < 270
    with scratch() as place:
        call = _installation(wheel, place, core)
        assert "written" not in call("init") and (place / "envclone.yaml").exists()
        assert "postgresql" in call("doctor", check=False).lower()
        refused = call("demo", check=False)
        assert "pip install 'envclone[demo]'" in refused and "Traceback" not in refused
        with_demo = _installation(wheel, place / "demo", demo)
        assert re.search(r"made \d{3} customers", with_demo(code=_FIRST_STEPS))


_FIRST_STEPS = """
import pathlib
from envclone.demo.production import build
into = pathlib.Path.cwd() / "production"
into.mkdir(mode=0o711)
with build(into, progress=lambda event: None, customers=200, chunks=600) as made:
    import psycopg
    with psycopg.connect(made.app_dsn) as conn:
        print("made", conn.execute("SELECT count(*) FROM customers").fetchone()[0], "customers")
"""
"""The demo's first steps, small: a production of real engines, built and asked."""


def _closure(wheel: Path, extras: set[str]) -> set[str]:
    """The distributions that the wheel and these of its extras need, by normal name."""
    with zipfile.ZipFile(wheel) as archive:
        (said,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        own = re.findall(r"^Requires-Dist: (.*)$", archive.read(said).decode(), re.M)
    found: set[str] = set()
    wanted = [("envclone", frozenset(extras))]
    while wanted:
        name, its = wanted.pop()
        for text in own if name == "envclone" else importlib.metadata.requires(name) or []:
            one = Requirement(text)
            if one.marker is not None and not any(one.marker.evaluate({"extra": extra}) for extra in its or {""}):
                continue
            needed = re.sub(r"[-_.]+", "-", one.name).lower()
            if needed not in found | {"envclone"} and _installed(needed):
                found.add(needed)
                wanted.append((needed, frozenset(one.extras)))
    return found


def _bytes(name: str) -> int:
    files = importlib.metadata.files(name) or []
    return sum(path.stat().st_size for file in files if (path := Path(str(file.locate()))).is_file())


def _installation(wheel: Path, place: Path, names: set[str]) -> Callable[..., str]:
    """An environment of its own in `place` with the wheel and only these distributions; gives what calls it there."""
    place.mkdir(exist_ok=True)
    _run(sys.executable, "-m", "venv", "--without-pip", place / "venv", cwd=place)
    (site,) = (place / "venv" / "lib").glob("python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    for name in names:
        for file in importlib.metadata.files(name) or []:
            top = Path(file.parts[0])
            there = Path(str(file.locate())).parents[len(file.parts) - 1] / top
            if ".." not in file.parts and there.exists() and not (site / top).exists():
                (site / top).symlink_to(there)

    def call(*arguments: str, check: bool = True, code: str = "") -> str:
        program = ["-c", code] if code else ["-m", "envclone", *arguments]
        env = {"PATH": os.environ["PATH"], "HOME": str(place), "ENVCLONE_POOL": str(place / "pool")}
        argv = [str(place / "venv" / "bin" / "python"), "-I", *program]
        done = subprocess.run(argv, cwd=place, env=env, capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return call
    assert not [name for name in names if name.startswith(("tests/", "hooks/", "docs/"))]


@pytest.mark.skipif(bool(os.environ.get("ENVCLONE_UNLOCKED")), reason="`make test-latest` runs without the lock")
def test_what_is_installed_is_what_the_lock_says() -> None:
    locked = _locked()
    assert locked, "an empty lock"
    different = {
        name: (importlib.metadata.version(name), versions)
        for name, versions in locked.items()
        if _installed(name) and importlib.metadata.version(name) not in versions
    }
    elsewhere = {"colorama", "pywin32", "tzdata", "httpx2-jsfetch"}  # Windows' own, and a browser's
    missing = {name for name in locked if not _installed(name)} - elsewhere
    assert (different, missing) == ({}, set())


def test_every_locked_file_has_a_hash_and_every_dependency_is_locked() -> None:
    text = LOCK.read_text()
    for block in re.findall(r"^[a-z0-9].*(?:\n    .*)*", text, re.M):
        assert "--hash=sha256:" in block, block.splitlines()[0]
    assert "://" not in text, "an index belongs to the machine, not to the lock"
    declared = importlib.metadata.requires("envclone") or []
    names = {re.split(r"[ \[<>=!~;]", one, maxsplit=1)[0].lower().replace("_", "-") for one in declared}
    assert names - set(_locked()) - {"envclone"} == set()


def _locked() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([a-z0-9._-]+)(?:\[[a-z,]+\])?==([^ ;\\]+)", LOCK.read_text(), re.M):
        found.setdefault(name, set()).add(version)
    return found


def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
