"""Names to drivers."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from envclone.cow import choose as module
from envclone.cow.choose import choose, load
from envclone.errors import ConfigError, ResourceError
from envclone.protocols import CowDriver


@pytest.mark.parametrize("name", ["reflink", "btrfs", "copy"])
def test_builtin_drivers_know_their_names(name: str) -> None:
    driver = load(name)
    assert isinstance(driver, CowDriver)
    assert driver.name == name


def test_an_unknown_name_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="auto, btrfs, copy, reflink"):
        choose("zfs", tmp_path)


def test_a_third_party_driver_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("third", "envclone.cow.copy:CopyDriver", "envclone.cow")
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [point] if group == "envclone.cow" else [])
    assert choose("third", tmp_path).name == "copy"
    with pytest.raises(ConfigError, match="third"):
        load("fourth")


def test_builtin_drivers_cost_no_metadata_scan() -> None:
    code = (
        "import sys; from pathlib import Path; from envclone.cow.choose import choose; choose('auto', Path('/tmp'));"
        "print([m for m in 'importlib.metadata ctypes shutil'.split() if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-S", "-c", f"import sys; sys.path[:0]={sys.path!r}; {code}"], check=True,
                          capture_output=True, text=True)  # fmt: skip
    assert said.stdout.strip() == "[]"


def test_nothing_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="nothing can be copied"):
        choose("auto", tmp_path / "missing")
    with pytest.raises(ResourceError, match="cannot be written"):
        choose("reflink", Path("/proc"))


def test_the_builtin_names_are_the_registered_ones() -> None:
    from importlib.metadata import entry_points

    assert {point.name: point.value for point in entry_points(group=module.GROUP)} == module._BUILTIN
