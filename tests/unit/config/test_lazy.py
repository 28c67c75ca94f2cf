"""Variables: when they are read, and that nobody's secret is ever shown."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest
from pydantic import SecretStr

from envclone.config import variables
from envclone.config.load import check, load, resolve_environment, resolve_source
from envclone.config.schema import SourceConfig, StackFile
from envclone.config.stack import LoadedStack
from envclone.errors import ConfigError
from tests.unit.config.stacks import FULL, SMALL, loaded, problems, write

SECRET = "hunter2-s3cr3t"


def test_a_file_loads_without_productions_credentials(tmp_path: Path) -> None:
    assert loaded(tmp_path, FULL, {}).stack.environments["prod"].stores["main"].source.method == "physical"


def test_a_source_is_resolved_when_it_is_used(tmp_path: Path) -> None:
    env = {"PROD_PG_DSN": f"host=db password={SECRET}$$${{X}}"}
    found = loaded(tmp_path, FULL, env)
    source = resolve_source(found, "prod", "main")
    assert isinstance(source.dsn, SecretStr)
    assert source.dsn.get_secret_value() == f"host=db password={SECRET}$$${{X}}"  # not expanded again
    assert SECRET not in repr(found)
    with pytest.raises(ConfigError) as caught:
        resolve_source(found, "prod", "kb")
    assert caught.value.problems == (
        f"{tmp_path}/envclone.yaml:16: environments.prod.stores.kb.source.url: "
        "the environment variable PROD_QDRANT_URL is not set",
    )
    assert resolve_source(found, "prod", "old").path == tmp_path / "data/pg"


def test_a_missing_variable_shows_its_reason(tmp_path: Path) -> None:
    for env, state in (({}, "is not set"), ({"PROD_PG_DSN": ""}, "is empty")):
        with pytest.raises(ConfigError) as caught:
            resolve_source(loaded(tmp_path, FULL, env), "prod", "main")
        assert caught.value.problems[0].endswith(
            f":10: environments.prod.stores.main.source.dsn: the environment variable PROD_PG_DSN {state}: "
            "a DSN with REPLICATION"
        )


def test_a_path_with_a_variable_waits_for_it(tmp_path: Path) -> None:
    text = SMALL.replace("path: data", 'path: "${DATA}/pg$$1"')
    assert loaded(tmp_path, text).stack.environments["prod"].stores["main"].source.path == Path("${DATA}/pg$$1")
    assert resolve_source(loaded(tmp_path, text, {"DATA": "here"}), "prod", "main").path == tmp_path / "here/pg$1"
    with pytest.raises(ConfigError):
        resolve_source(loaded(tmp_path, text), "prod", "main")


def test_a_value_can_be_wrong_once_it_is_read(tmp_path: Path) -> None:
    text = SMALL.replace("path: data", "path: data, database: '${DB}'")
    assert resolve_source(loaded(tmp_path, text, {"DB": "app"}), "prod", "main").database == "app"
    with pytest.raises(ConfigError) as caught:
        resolve_source(loaded(tmp_path, text, {"DB": ""}), "prod", "main")
    assert caught.value.problems[0].endswith(":8: environments.prod.stores.main.source.database: must not be empty")


def test_a_directory_with_dollars_in_its_name(tmp_path: Path) -> None:
    (tmp_path / "a$$b${C}").mkdir()
    found = load(write(tmp_path / "a$$b${C}", SMALL), {})
    assert resolve_source(found, "prod", "main").path == tmp_path / "a$$b${C}" / "data"
    assert found.stack.incidents == tmp_path / "a$$b${C}" / "incidents"


def test_unknown_names_are_suggested(tmp_path: Path) -> None:
    found = loaded(tmp_path, FULL)
    with pytest.raises(ConfigError, match="no environment 'prd', did you mean 'prod'"):
        resolve_source(found, "prd", "main")
    with pytest.raises(ConfigError, match="'prod' has no store 'x'; there are: kb, main, old"):
        resolve_source(found, "prod", "x")


def test_a_stack_made_in_code_keeps_its_source() -> None:
    source = {"method": "physical", "dsn": "host=a$$b"}
    stack = StackFile.model_validate(
        {"version": 1, "project": "a", "environments": {"e": {"stores": {"m": {"kind": "postgres", "source": source}}}}}
    )
    resolved = resolve_source(LoadedStack(stack, Path("envclone.yaml")), "e", "m")
    assert isinstance(resolved, SourceConfig)
    assert resolved.dsn is not None
    assert resolved.dsn.get_secret_value() == "host=a$$b"


def test_a_services_environment_is_resolved_with_the_branchs_stores(tmp_path: Path) -> None:
    found = loaded(tmp_path, FULL, {"API_KEY": "k"})
    written = found.stack.environments["prod"].services["api"].environment
    assert written["DATABASE_URL"] == "${stores.main.url}"
    assert written["KEY"] == "${API_KEY}"
    values = resolve_environment(found, "prod", "api", {"main": {"url": "postgresql://x/${API_KEY}"}})
    assert values == {
        "DATABASE_URL": "postgresql://x/${API_KEY}",
        "KEY": "k",
        "PORT": "8000",
        "PRICE": "$5",
        "DEBUG": "no",
    }
    with pytest.raises(ConfigError) as caught:
        resolve_environment(loaded(tmp_path, FULL), "prod", "api", {})
    assert "the branch's store 'main' has no url" in "".join(caught.value.problems)
    assert "API_KEY is not set" in "".join(caught.value.problems)


def test_all_other_variables_are_read_at_once(tmp_path: Path) -> None:
    text = SMALL.replace("project: acme", "project: ${PROJECT?the name}") + "branches: {max: '${N}'}\n"
    assert loaded(tmp_path, text, {"PROJECT": "shop", "N": "3"}).stack.branches.max == 3
    found = problems(tmp_path, text)
    assert found[0] == "envclone.yaml:2: project: the environment variable PROJECT is not set: the name"
    assert found[1] == "envclone.yaml:9: branches.max: the environment variable N is not set"
    assert len(found) == 2, "one mistake is one problem"


@pytest.mark.parametrize("bad", ["${", "${1A}", "${A", "${A B}", "${A!x}", "${stores.main.url}"])
def test_references_that_cannot_be_meant(tmp_path: Path, bad: str) -> None:
    for text in (SMALL + f"incidents: 'x{bad}'\n", SMALL.replace("path: data", f"path: 'x{bad}'")):
        found = problems(tmp_path, text)
        assert len(found) == 1
        assert "${" in found[0] or "reference to a store" in found[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$$", "$"),
        ("$${A}", "${A}"),
        ("$.user.email", "$.user.email"),
        ("a$b$", "a$b$"),
        ("${A}${A}", "11"),
        ("${E:-x}${N:-y z}${A:-q}", "xy z1"),
        ("${A?why}${A:?why}", "11"),
        ("${E}", ""),
        ("${stores.main.url}", "${stores.main.url}"),
    ],
)
def test_expansion(text: str, expected: str) -> None:
    assert variables.expand(text, {"A": "1", "E": ""}) == (expected, [])


@pytest.mark.parametrize(
    "broken",
    [
        FULL.replace("method: physical", "method: hunter2-s3cr3t"),
        FULL.replace('dsn: "${PROD_PG_DSN?a DSN with REPLICATION}"', "dsn: [hunter2-s3cr3t]"),
        FULL.replace('dsn: "${PROD_PG_DSN?a DSN with REPLICATION}"', "dsn: {x: hunter2-s3cr3t}"),
        FULL.replace('dsn: "${PROD_PG_DSN?a DSN with REPLICATION}"', "dns: hunter2-s3cr3t"),
        FULL.replace('dsn: "${PROD_PG_DSN?a DSN with REPLICATION}"', "'postgres://u:hunter2-s3cr3t@h'"),
        FULL.replace('dsn: "${PROD_PG_DSN?a DSN with REPLICATION}"', "host=h password=hunter2-s3cr3t"),
        FULL.replace('dsn: "${PROD_PG_DSN?a DSN with REPLICATION}"', "hunter2-s3cr3t"),
        FULL.replace('dsn: "${PROD_PG_DSN?a DSN with REPLICATION}"', "'a hunter2-s3cr3t'"),
        FULL.replace('url: "${PROD_QDRANT_URL}"', "url: hunter2-s3cr3t"),
        FULL.replace('url: "${PROD_QDRANT_URL}"', "url: *hunter2-s3cr3t"),
        FULL.replace('url: "${PROD_QDRANT_URL}"', 'url: "http://hunter2-s3cr3t'),
        FULL.replace('url: "${PROD_QDRANT_URL}"', "url: 'x' hunter2-s3cr3t"),
        FULL.replace('url: "${PROD_QDRANT_URL}"', 'url: "http://hunter2-s3cr3t", url: hunter2-s3cr3t'),
        FULL.replace("image: pgvector", "postgres://u:hunter2-s3cr3t@h/db: pgvector"),
        FULL.replace('KEY: "${API_KEY}"', "KEY: [hunter2-s3cr3t]"),
    ],
)
def test_no_problem_shows_a_secret(tmp_path: Path, broken: str) -> None:
    assert broken != FULL
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, broken), {})
    error = caught.value
    assert error.problems
    assert SECRET not in "\n".join([error.message, str(error.hint), repr(error), *error.problems])
    assert SECRET not in "".join(traceback.format_exception_only(error))
    if isinstance(error.__context__, Exception):
        assert SECRET not in str(error.__context__)


def test_no_value_of_a_variable_is_shown_either(tmp_path: Path) -> None:
    env = {"PROD_PG_DSN": SECRET, "PROD_QDRANT_URL": SECRET, "API_KEY": SECRET, "MAX_BRANCHES": "x"}
    with pytest.raises(ConfigError) as caught:
        check(write(tmp_path, FULL), env)
    assert "kb.source.url: must begin with http" in "\n".join(caught.value.problems)
    assert SECRET not in "\n".join(caught.value.problems)
    found = loaded(tmp_path, FULL, {**env, "MAX_BRANCHES": "1"})
    with pytest.raises(ConfigError) as caught:
        resolve_source(found, "prod", "kb")
    assert SECRET not in "".join(traceback.format_exception(caught.value))
