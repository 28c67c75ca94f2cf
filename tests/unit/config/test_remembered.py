"""A stack file that has not changed is not checked again; one that has, in any way, is."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from pathlib import Path

import pytest

from envclone.config import load as reading
from envclone.config import remembered
from envclone.errors import ConfigError

STACK = """\
version: 1
project: shop
include: [rules.yaml]
pool: {path: ./pool, driver: copy}
audit: {mirror: ~/heads}
environments:
  prod:
    stores:
      main:
        kind: postgres
        source: {method: physical, dsn: "postgresql://app:hunter2@db/app?x=${PASS:-y}"}
        image: postgres:18
        profile: big
        settings: {work_mem: 4MB}
    allow: ["api.example:443"]
sanitize:
  domains: {buyer: {kind: email, unique: true}}
branches: {ttl: 90m, memory: 2GiB}
"""
RULES = "sanitize: {rules: {main: {public.c.email: buyer, public.c.doc: {$.name: person}}}}\n"


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(remembered, "_folder", lambda: tmp_path / "cache")
    (tmp_path / "rules.yaml").write_text(RULES)
    path = tmp_path / "envclone.yaml"
    path.write_text(STACK)
    return path


def remembers(path: Path) -> bool:
    """Whether the next load takes what was written down."""
    return remembered._recall(remembered._place(path), path) is not None


def test_the_same_values_come_back(stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = remembered.load(stack)
    assert remembers(stack)
    with monkeypatch.context() as patched:
        patched.setattr(reading, "load", lambda path: pytest.fail("it was read again"))
        again = remembered.load(stack)
        for one in (first.stack, again.stack):
            assert one.project == "shop"
            assert one.pool.path == stack.parent / "pool"
            assert one.audit.mirror == Path("~/heads")
            assert one.branches.ttl == dt.timedelta(minutes=90)
            assert one.branches.memory == 2 << 30
            assert one.sanitize.domains["buyer"].unique is True
            assert one.sanitize.rules["main"] == {"public.c.email": "buyer", "public.c.doc": {"$.name": "person"}}
            assert one.environments["prod"].stores["main"].profile == "big"
            assert one.environments["prod"].allow == ["api.example:443"]
            assert one.environments["prod"].services == {}


def test_what_was_left_out_is_read(stack: Path) -> None:
    first = remembered.load(stack)
    again = remembered.load(stack)
    assert again.lines == dict(first.lines)
    assert again.raw == dict(first.raw)
    store = again.stack.environments["prod"].stores["main"]
    assert store.settings == {"work_mem": "4MB"}
    assert store.source == first.stack.environments["prod"].stores["main"].source
    source = reading.resolve_source(again, "prod", "main")
    assert source.dsn is not None and source.dsn.get_secret_value().endswith("hunter2@db/app?x=y")


def test_no_secret_is_written_down(stack: Path) -> None:
    remembered.load(stack)
    (written,) = (stack.parent / "cache").iterdir()
    assert "hunter2" not in written.read_text()
    assert written.stat().st_mode & 0o777 == 0o600
    assert written.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["envclone.yaml", "rules.yaml"])
def test_a_changed_file_is_read(stack: Path, name: str) -> None:
    remembered.load(stack)
    file = stack.parent / name
    status = file.stat()
    file.write_text(file.read_text().replace("buyer", "payer"))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))  # times prove nothing
    with pytest.raises(ConfigError):
        remembered.load(stack)
    for other in ("envclone.yaml", "rules.yaml"):
        place = stack.parent / other
        place.write_text(place.read_text().replace("buyer", "payer"))
    assert set(remembered.load(stack).stack.sanitize.domains) == {"payer"}


def test_a_file_that_is_gone_is_missed(stack: Path) -> None:
    remembered.load(stack)
    (stack.parent / "rules.yaml").unlink()
    with pytest.raises(ConfigError):
        remembered.load(stack)


def test_a_change_while_it_is_in_use_is_an_error(stack: Path) -> None:
    remembered.load(stack)
    again = remembered.load(stack)
    stack.write_text(STACK.replace("shop", "barn"))
    with pytest.raises(ConfigError, match="was changed while it was in use"):
        len(again.raw)


def test_variables_are_read_each_time(stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.write_text(STACK.replace("./pool", '"${POOL_HERE}"'))
    for name in ("one", "two"):
        monkeypatch.setenv("POOL_HERE", f"/srv/{name}")
        assert remembered.load(stack).stack.pool.path == Path(f"/srv/{name}")


def test_another_home_is_another_file(stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remembered.load(stack)
    monkeypatch.setenv("HOME", "/nowhere")
    assert not remembers(stack)


def test_other_code_checks_again(stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remembered.load(stack)
    monkeypatch.setattr(remembered, "_marks", lambda path: ["other"])
    assert not remembers(stack)


def test_an_invalid_file_is_never_remembered(stack: Path) -> None:
    stack.write_text(STACK.replace("driver: copy", "driver: fast"))
    for _ in range(2):
        with pytest.raises(ConfigError):
            remembered.load(stack)
    assert not (stack.parent / "cache").exists()


@pytest.mark.parametrize("damage", ["{", "[]", '{"files": {}, "stack": {}}', "null"])
def test_damage_is_no_error(stack: Path, damage: str) -> None:
    remembered.load(stack)
    (written,) = (stack.parent / "cache").iterdir()
    written.write_text(damage)
    assert remembered.load(stack).stack.project == "shop"


@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_others_can_write_counts_for_nothing(stack: Path, what: str) -> None:
    remembered.load(stack)
    (written,) = (stack.parent / "cache").iterdir()
    (written if what == "file" else written.parent).chmod(0o777)
    assert not remembers(stack)
    assert remembered.load(stack).stack.project == "shop"


def test_the_oldest_are_forgotten(stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "_KEPT", 3)
    for number in range(6):
        other = stack.with_name(f"{number}.yaml")
        other.write_text(STACK)
        remembered.load(other)
    assert len(list((stack.parent / "cache").iterdir())) == 3
    assert remembers(other)


def test_no_validation_library_is_imported(stack: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from envclone.config import remembered;"
        f" remembered._folder = lambda: Path({str(stack.parent / 'cache')!r});"
        f" loaded = remembered.load(Path({str(stack)!r})); assert loaded.stack.project == 'shop';"
        " sys.exit('pydantic' in sys.modules or 'yaml' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 1
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_the_rules_come_to_is_made_once_and_again_when_something_of_it_changes(
    stack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def digest(hooks: tuple[str, ...] = ()) -> str:
        def make() -> str:
            made.append("")
            return f"digest {len(made)}"

        return remembered.digest_of_rules(remembered.load(stack), hooks, make)

    assert [digest(), digest(), digest()] == ["digest 1"] * 3
    (stack.parent / "rules.yaml").write_text(RULES.replace("person", "email"))
    assert [digest(), digest()] == ["digest 2"] * 2
    (stack.parent / "hook.py").write_text("1")
    assert [digest(("hook.py",)), digest(("hook.py",))] == ["digest 3"] * 2
    (stack.parent / "hook.py").write_text("2")
    assert digest(("hook.py",)) == "digest 4"
    monkeypatch.setattr(remembered, "_code", lambda folder, *endings: "another version")
    assert digest(("hook.py",)) == "digest 5"
    (stack.parent / "hook.py").unlink()
    assert [digest(("hook.py",)), digest(("hook.py",))] == ["digest 6", "digest 7"], "its maker says what is missing"


def test_a_stack_file_with_variables_has_no_remembered_digest(stack: Path) -> None:
    stack.write_text(STACK.replace("{kind: email, unique: true}", "{kind: '${KIND:-email}'}"))
    for number in (1, 2):
        assert (
            remembered.digest_of_rules(remembered.load(stack), (), lambda n=number: f"digest {n}") == f"digest {number}"
        )
