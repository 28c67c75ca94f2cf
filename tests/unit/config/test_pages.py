"""The starter file, the reference page, and where a stack file is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from envclone.config import docs, find
from envclone.config.load import check, load
from envclone.config.template import project_name, starter
from envclone.errors import ConfigError
from tests.unit.config.stacks import write

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("project", ["acme", "a", "x" * 41, "my-project"])
def test_the_starter_loads(tmp_path: Path, project: str) -> None:
    path = write(tmp_path, starter(project))
    assert load(path, {}).stack.project == project
    assert check(path, {"PROD_PG_DSN": "host=x"}).stack.environments["prod"].stores["main"].kind == "postgres"


def test_the_starters_commented_parts_load_too(tmp_path: Path) -> None:
    lines = []
    for line in starter("acme").splitlines():
        stripped = line.lstrip()
        commented = line[:1] == " " and stripped.startswith("# ")
        lines.append(line.replace("# ", "", 1) if commented and ":" in stripped else line)
    stack = load(write(tmp_path, "\n".join(lines)), {}).stack
    prod = stack.environments["prod"]
    assert set(prod.stores) == {"main", "kb"}
    assert prod.services["api"].environment == {"DATABASE_URL": "${stores.main.url}"}
    assert prod.stores["main"].image == "pgvector/pgvector:pg18"
    assert prod.stores["main"].settings == {"shared_buffers": "256MB"}


def test_the_starters_comments_stay_in_their_column() -> None:
    columns = {line.index("#") for line in starter("acme").splitlines() if line.startswith(("project", "  driver"))}
    assert len(columns) == 1


def test_the_starter_is_commented_and_fits_a_terminal() -> None:
    text = starter("acme")
    assert text.count("#") > 20
    assert max(map(len, text.splitlines())) <= 120
    assert "my-project" not in text
    assert text.isascii()


@pytest.mark.parametrize("project", ["", "A", "a b", "x" * 42, "a\nb", "-a"])
def test_a_project_name_that_cannot_be(project: str) -> None:
    with pytest.raises(ConfigError) as caught:
        starter(project)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("directory", "name"), [("My Shop_2", "my-shop-2"), ("acme", "acme"), ("___", "project"), ("a" * 60, "a" * 41)]
)
def test_a_directory_names_a_project(tmp_path: Path, directory: str, name: str) -> None:
    assert project_name(tmp_path / directory) == name
    assert starter(project_name(tmp_path / directory))


def test_the_reference_page_is_what_the_schema_generates(tmp_path: Path) -> None:
    assert (ROOT / "docs/stack-file.md").read_text(encoding="utf-8") == docs.reference(), (
        "python -m envclone.config.docs docs/stack-file.md"
    )
    assert docs.main([str(tmp_path / "page.md")]) == 0
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == docs.reference()


@pytest.mark.parametrize("arguments", [[], ["--help"], ["a", "b"]])
def test_the_reference_page_needs_a_file_to_write(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert docs.main(arguments) == 2
    assert "usage" in capsys.readouterr().err


def test_the_reference_page_names_every_key_once_with_its_default() -> None:
    page = docs.reference()
    assert "| `ttl` | duration | `8h` |" in page
    assert "| `kind` | text | **required** |" in page
    assert "`environments.NAME.stores.NAME.source`" in page
    for anchor in {part.split(")")[0] for part in page.split("](#")[1:]}:
        headings = [line[3:].lower() for line in page.splitlines() if line.startswith("## ")]
        assert any(
            "".join(c for c in heading if c.isalnum() or c in "-_ ").replace(" ", "-") == anchor for heading in headings
        )


def test_find_looks_upwards(tmp_path: Path) -> None:
    deep = tmp_path / "a/b"
    deep.mkdir(parents=True)
    upper = write(tmp_path, "", "envclone.yml")
    assert find.find(deep, {}) == upper
    near = write(tmp_path / "a", "", "envclone.yaml")
    write(tmp_path / "a", "", "envclone.yml")
    (deep / "envclone.yaml").mkdir()
    assert find.find(deep, {}) == near


def test_the_environment_names_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "")
    other = write(tmp_path, "", "other.yaml")
    assert find.find(tmp_path, {"ENVCLONE_FILE": str(other)}) == other
    monkeypatch.setenv("ENVCLONE_FILE", str(other))
    assert find.find(tmp_path) == other
    with pytest.raises(ConfigError, match=r"ENVCLONE_FILE names .*none.yaml"):
        find.find(tmp_path, {"ENVCLONE_FILE": str(tmp_path / "none.yaml")})


def test_nothing_found(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        find.find(tmp_path, {})
    assert "envclone init" in str(caught.value.hint)
