"""Bundles by hand: new ones, what one lacks, and a change that is kept only when it is a bundle."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from envclone.cli.main import cli
from envclone.errors import EnvcloneError
from envclone.incidents import files

STACK = """\
version: 1
project: shop
pool: {path: ./pool}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}
      kb: {kind: qdrant, source: {method: snapshot, url: "${QDRANT}"}}
incidents: incidents/
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "envclone.yaml").write_text(STACK)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _call(*arguments: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(cli, ["incident", *arguments], env=env)


def test_a_statement(here: Path) -> None:
    (here / "slow.sql").write_text("SELECT id FROM tickets WHERE note ~ 'Wolfhard'\n")
    done = _call("new", "1234", "--sql", "@slow.sql", "--role", "app")
    assert done.exit_code == 0, done.exception
    assert "next: envclone incident record incidents/1234.yaml" in done.output
    made = files.load(here / "incidents" / "1234.yaml")
    assert made.environment == "prod" and made.steps[0].store == "main"
    assert stat.S_IMODE((here / "incidents" / "1234.yaml").stat().st_mode) == 0o600
    shown = _call("show", "1234").output
    assert "as app" in shown and "lacks what production returned" in shown and "Wolfhard" not in shown


@pytest.mark.parametrize(
    "written", ["[0.1, 0.2, 0.3]", '{"data": [{"embedding": [0.1, 0.2, 0.3]}]}', "0.1, 0.2 0.3", "[[0.1, 0.2, 0.3]]"]
)
def test_a_search(here: Path, written: str) -> None:
    (here / "q.json").write_text(written)
    done = _call(
        "new", "s", "--collection", "articles", "--vector-file", "q.json", "--filter", '{"must": []}', "--json"
    )
    assert json.loads(done.output)["steps"] == ["search"]
    (step,) = files.load(here / "incidents" / "s.yaml").steps
    assert step.store == "kb"
    assert getattr(step, "vector") == [0.1, 0.2, 0.3]  # noqa: B009 - a step of one of three kinds
    assert _call("show", "s", "--json").exit_code == 0


def test_a_vector_that_a_command_makes(here: Path) -> None:
    made = "python3 -c 'import sys; print([float(len(sys.stdin.read())), 2])'"
    done = _call("new", "e", "--collection", "articles", "--embedding-of", "refund", "--with", made)
    assert done.exit_code == 0, done.exception
    assert files.load(here / "incidents" / "e.yaml").model_dump()["steps"][0]["vector"] == [6.0, 2.0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["../x", "--sql", "SELECT 1"], "cannot be the id of an incident"),
        (["x"], "There is no terminal to ask"),
        (["x", "--collection", "a"], "a search needs its vector"),
        (["x", "--collection", "a", "--embedding-of", "b"], "needs a command"),
        (["x", "--collection", "a", "--vector-file", "nowhere"], "nowhere cannot be read"),
        (["x", "--collection", "a", "--vector-file", "envclone.yaml"], "holds no vector"),
        (["x", "--sql", "SELECT 1", "--env", "staging"], "staging"),
        (["x", "--sql", "@/"], "cannot be read"),
        (["x", "--collection", "a", "--embedding-of", "b", "--with", "false"], "false failed"),
    ],
)
def test_what_makes_no_bundle(here: Path, arguments: list[str], said: str) -> None:
    done = _call("new", *arguments)
    assert done.exit_code == 1 and said in str(getattr(done.exception, "message", "")), done.exception
    assert not list(here.glob("incidents/*"))


def test_one_that_is_there_stays(here: Path) -> None:
    _call("new", "1", "--sql", "SELECT 1")
    done = _call("new", "1", "--sql", "SELECT 2")
    assert "is there already" in str(done.exception)
    assert "SELECT 1" in (here / "incidents" / "1.yaml").read_text()


def test_edit_keeps_only_a_bundle(here: Path) -> None:
    _call("new", "1", "--sql", "SELECT 1")
    place = here / "incidents" / "1.yaml"
    before = place.read_text()
    assert "nothing was changed" in _call("edit", "1", env={"EDITOR": "true"}).output
    broken = _call("edit", "1", env={"EDITOR": "sed -i s/kind/kynd/"})
    assert "is as it was" in str(broken.exception) and place.read_text() == before
    again = _call("edit", "1", env={"EDITOR": "sed -i s/kynd/kind/"})  # it goes on with the change that was kept
    assert "nothing was changed" in again.output
    done = _call("edit", "1", env={"EDITOR": "sed -i 's/SELECT 1/SELECT 2/'"})
    assert done.exit_code == 0 and "SELECT 2" in place.read_text()
    assert [path.name for path in place.parent.iterdir()] == ["1.yaml"]
    assert stat.S_IMODE(place.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["--sql", " \n"], "no statement"),
        (["--sql", "SELECT '\0'"], "no statement"),
        (["--collection", "a", "--vector-file", "q", "--filter", "{nonsense"], "no filter"),
        (["--collection", "a", "--vector-file", "q", "--filter", "[1]"], "no filter"),
        (["--collection", "a", "--vector-file", "q", "--filter", "[" * 100_000], "no filter"),
        (["--collection", "a", "--vector-file", "q", "--limit", "0"], ""),
        (["--collection", "a", "--vector-file", "q", "--limit", "-1"], ""),
        (["--collection", "", "--vector-file", "q"], "no terminal"),
        (["--collection", "a", "--vector-file", "."], "cannot be read"),
        (["--collection", "a", "--vector-file", "nan"], ""),
        (["--collection", "a", "--vector-file", "words"], "holds no vector"),
        (["--collection", "a", "--embedding-of", "x", "--with", "echo 'open"], "no command"),
        (["--collection", "a", "--embedding-of", "x", "--with", " "], "no command"),
        (["--collection", "a", "--embedding-of", "x", "--with", "./missing"], ""),
        (["--collection", "a", "--embedding-of", "x", "--with", "false"], ""),
        (["--collection", "a", "--embedding-of", "x", "--with", "true"], "holds no vector"),
    ],
)
def test_a_bad_answer_is_refused_in_words(here: Path, given: list[str], says: str) -> None:
    for name, text in (("q", "[1, 2]"), ("nan", "[NaN, Infinity]"), ("words", "one two")):
        (here / name).write_text(text)
    done = _call("new", "bad", *given)
    assert done.exit_code == 2 or isinstance(done.exception, EnvcloneError), done.output
    assert says in f"{done.output} {done.exception}"
    assert not (here / "incidents" / "bad.yaml").exists()


def test_parameters_that_are_still_to_be_written_are_next(here: Path) -> None:
    for name, sql in (("a", "SELECT 1 WHERE a = %s"), ("b", "SELECT $1::int"), ("c", "SELECT 5 % 2, d ? 'k'")):
        done = _call("new", name, "--sql", sql)
        assert done.exit_code == 0 and ("write the `parameters:` of query into it" in done.output) == (name != "c")
