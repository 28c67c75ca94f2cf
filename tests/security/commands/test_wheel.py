"""The wheel: built from the tree with the locked tools, whole without the tree, and the lock is what is installed."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

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
    for name in ("pyproject.toml", "README.md", "envclone", "compose"):
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
    envclone = [python, "-I", "-m", "envclone.cli.main"]
    assert "branch" in _run(*envclone, "--help", cwd=tmp_path)
    assert json.loads(_run(*envclone, "config", "schema", cwd=tmp_path))["properties"]
    _run(*envclone, "init", cwd=tmp_path)
    assert (tmp_path / "envclone.yaml").exists()


def test_it_holds_its_data(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    for wanted in ("envclone/py.typed", "envclone/masking/data/names.txt", "envclone/config/starter.yaml"):
        assert wanted in names
    assert any(name.endswith("share/envclone/compose/preview.yaml") for name in names)
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
    missing = {name for name in locked if not _installed(name)} - {"colorama", "pywin32", "tzdata"}  # Windows' own
    assert (different, missing) == ({}, set())


def test_every_locked_file_has_a_hash_and_every_dependency_is_locked() -> None:
    text = LOCK.read_text()
    for block in re.findall(r"^[a-z0-9].*(?:\n    .*)*", text, re.M):
        assert "--hash=sha256:" in block, block.splitlines()[0]
    assert "://" not in text, "an index belongs to the machine, not to the lock"
    declared = importlib.metadata.requires("envclone") or []
    names = {re.split(r"[ \[<>=!~;]", one, maxsplit=1)[0].lower().replace("_", "-") for one in declared}
    assert names - set(_locked()) == set()


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
