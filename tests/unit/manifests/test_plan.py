"""What manifests are made for: options that a cluster takes, and no secret in a ConfigMap."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from envclone.errors import ConfigError, UsageError
from envclone.manifests.plan import Variable
from tests.unit.manifests.stacks import IMAGE, STACK, planned


def test_every_file_that_the_stack_file_names_goes_along_and_no_incident(tmp_path: Path) -> None:
    made = planned(tmp_path)
    assert set(made.files) == {
        "envclone.yaml", "rules/base.yaml", "profiles/prod-postgres.yaml", "certs/ca.pem", "hooks/after.sql",
    }  # fmt: skip
    assert made.written == ("incidents", "cases")


def test_each_actor_reads_its_own_variables(tmp_path: Path) -> None:
    made = planned(tmp_path, STACK.replace("project: acme", 'project: acme\npool: {path: "${POOL:-/pool}"}'))
    prod, pre = sorted(made.kept, key=lambda one: len(one.environment))
    assert prod.variables == (
        Variable("PROD_PG_DSN", True), Variable("PROD_QDRANT_KEY", False), Variable("PROD_QDRANT_URL", True),
    )  # fmt: skip
    assert pre.variables == ()
    assert made.lent == (Variable("PROD_QDRANT_KEY", False), Variable("PROD_QDRANT_URL", True))
    assert made.shared == (Variable("POOL", False),)


def test_how_often_is_looked_follows_from_how_fresh_images_stay(tmp_path: Path) -> None:
    for fresh, every in (("20m", 5), ("1h", 10), ("2h", 20), ("3h", 30), ("1d", 60)):
        (schedule,) = {
            one.schedule for one in planned(tmp_path, STACK.replace("fresh: 2h", f"fresh: {fresh}")).kept
            if one.environment == "prod"
        }  # fmt: skip
        minute, _, step = schedule.split(" ")[0].partition("-59/")
        assert 0 <= int(minute) < every and (int(step) if step else 60) == every


@pytest.mark.parametrize(
    "options",
    [
        {"image": "Upper/Case"}, {"image": "-x"}, {"image": "a b"}, {"image": "x@sha256:12"}, {"image": "x:y:z:1"},
        {"namespace": "Envclone"}, {"namespace": "a.b"}, {"namespace": "a" * 64}, {"environments": ["nowhere"]},
        {"production": ["db.internal:5432"]}, {"production": ["10.0.0.0/8"]}, {"production": ["10.0.0.1/8:5432"]},
        {"production": ["10.0.0.0/8:0"]}, {"production": ["10.0.0.0/8:70000"]}, {"csi_driver": "a_b"},
        {"masking_key": "Key"},
    ],
    ids=str,
)  # fmt: skip
def test_what_no_cluster_takes_is_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        planned(tmp_path, **options)


@pytest.mark.parametrize("name", ["prod-", "-prod", "a" * 41])
def test_environments_are_labels(tmp_path: Path, name: str) -> None:
    made = STACK.replace("  pre-prod:", f"  {name}:")
    if name == "a" * 41:
        assert name in {one.environment for one in planned(tmp_path, made).kept}
    else:
        with pytest.raises((UsageError, ConfigError)):
            planned(tmp_path, made)


def test_an_image_without_a_digest_is_warned_of(tmp_path: Path) -> None:
    assert not [line for line in planned(tmp_path).warnings if "digest" in line]
    for image in ("envclone", "registry.internal:5000/envclone:1.2", "localhost:5000/a/b_c"):
        assert [line for line in planned(tmp_path, image=image).warnings if "digest" in line]
    assert not [
        line for line in planned(tmp_path, image=f"a:1@{IMAGE.rpartition('@')[2]}").warnings if "digest" in line
    ]


@pytest.mark.parametrize(
    "source",
    [
        "dsn: postgresql://reader:hunter22@db.internal/app", "dsn: host=db password=hunter22",
        'dsn: "${DSN:-postgresql://reader:hunter22@db/app}"', 'dsn: "postgresql://db/app?password=hunter22"',
        'dsn: "postgresql://${USER}:a${REST}@db/app"',
    ],
)  # fmt: skip
def test_a_password_in_a_source_is_refused_and_not_shown(tmp_path: Path, source: str) -> None:
    with pytest.raises(ConfigError) as caught:
        planned(tmp_path, STACK.replace('dsn: "postgresql://reader@db.internal/app"', source))
    assert "hunter22" not in f"{caught.value} {caught.value.problems}"
    assert "environments.pre-prod.stores.main.source.dsn" in str(caught.value.problems[0])


@pytest.mark.parametrize("key", ["secret-key", "${KEY:-secret-key}", "a${KEY}"])
def test_a_key_in_a_source_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(ConfigError, match="what is secret"):
        planned(tmp_path, STACK.replace("${PROD_QDRANT_KEY:-}", key))


@pytest.mark.parametrize(("value", "refused"), [("hunter2222", True), ("${API_KEY}", False), ("${API_KEY:-}", False)])
def test_a_service_s_secret_is_refused(tmp_path: Path, value: str, refused: bool) -> None:
    service = f'    services: {{api: {{image: "a/api@sha256:{"0" * 64}", environment: {{API_KEY: "{value}"}}}}}}\n'
    text = STACK.replace("    keep: {fresh: 2h}\n", "    keep: {fresh: 2h}\n" + service)
    if refused:
        with pytest.raises(ConfigError, match="what is secret"):
            planned(tmp_path, text)
    else:
        assert planned(tmp_path, text).files


@pytest.mark.parametrize(
    "source", ['"postgresql://u:${PW}@db/app"', '"host=db password=${PW}"', '"postgresql://u@db/app"']
)
def test_a_password_by_its_variable_is_none(tmp_path: Path, source: str) -> None:
    assert planned(tmp_path, STACK.replace('"postgresql://reader@db.internal/app"', source)).files


def test_what_no_config_map_takes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks" / "large.sql").write_text("-- " + "x" * (1 << 20))
    with pytest.raises(ConfigError, match="1 MiB"):
        planned(tmp_path, STACK.replace("hooks/after.sql", "hooks/large.sql"))


def test_files_from_elsewhere_are_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "outside.sql").write_text("-- x\n")
    with pytest.raises(ConfigError, match="outside"):
        planned(tmp_path / "other", STACK.replace("hooks/after.sql", "../outside.sql"))
