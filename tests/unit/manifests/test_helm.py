"""The chart: with its defaults it is the plain output, and each setting reaches an object.

`HELM_BIN=/path/to/helm` names Helm's program; with it the chart is linted and rendered by Helm itself.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from envclone import process
from envclone.manifests.build import objects
from envclone.manifests.helm import charted
from envclone.manifests.plan import Plan
from envclone.manifests.values import settings
from envclone.manifests.write import write
from tests.unit.manifests.rendering import rendered, said
from tests.unit.manifests.stacks import CLUSTER, planned

HELM = os.environ.get("HELM_BIN")
VERSION = "1.37.0"
"""Of the cluster that is rendered for: a Helm that was not built for a release believes in an old one."""


@pytest.fixture
def made(tmp_path: Path) -> Plan:
    return planned(
        tmp_path, CLUSTER, production=["10.20.0.7/32:5432"], masking_key="envclone-key", csi_driver="ebs.csi.aws.com"
    )  # fmt: skip


def test_the_chart_with_its_defaults_is_the_plain_output(made: Plan) -> None:
    files = charted(made)
    assert rendered(files, yaml.safe_load(files["values.yaml"])) == objects(made)


def test_the_stack_file_lies_in_the_chart_as_it_is(made: Plan) -> None:
    files = charted(made)
    assert {name.removeprefix("files/"): text for name, text in files.items() if name.startswith("files/")} == {
        path.replace("/", "-"): text for path, text in made.files.items()
    }


def _changed(value: Any) -> Any:
    """Another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, dict):
        return {**value, "added": "x"}
    return [*value, {"added": "x"}] if isinstance(value, list) else f"{value or ''}x"


def test_each_setting_reaches_an_object(made: Plan) -> None:
    files = charted(made)
    before = yaml.safe_load(files["values.yaml"])
    for one in settings(made):
        values = copy.deepcopy(before)
        node = values
        for key in one.path[:-1]:
            node = node[key]
        node[one.path[-1]] = _changed(node[one.path[-1]])
        assert rendered(files, values) != objects(made), f"{'.'.join(one.path)} changes nothing"


def _validator(made: Plan) -> tuple[Any, Any]:
    files = charted(made)
    document = json.loads(files["values.schema.json"])
    jsonschema.Draft7Validator.check_schema(document)
    return jsonschema.Draft7Validator(document), yaml.safe_load(files["values.yaml"])


def test_the_schema_takes_the_defaults_and_no_unknown_key(made: Plan) -> None:
    validator, values = _validator(made)
    validator.validate(values)
    assert not validator.is_valid({**values, "imagePullSecret": []})
    assert not validator.is_valid({**values, "pool": {**values["pool"], "sise": "1Gi"}})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("namespaces", "system"), "Envclone"), (("namespaces", "system"), "a" * 64), (("pool", "size"), "much"),
        (("keep", "prod", "schedule"), "every hour"), (("gc", "deadlineSeconds"), 1), (("serve", "from"), []),
        (("network", "nameServers"), []), (("image",), ""), (("secrets", "tls"), "A"),
        (("serve", "resources"), {"requests": {}, "limits": {}}),
    ],
    ids=str,
)  # fmt: skip
def test_the_schema_refuses(made: Plan, path: tuple[str, ...], value: Any) -> None:
    validator, values = _validator(made)
    node = values
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    assert not validator.is_valid(values)


def test_notes_name_the_secrets_and_no_value(made: Plan) -> None:
    notes = charted(made)["templates/NOTES.txt"]
    assert "PROD_PG_DSN, PROD_QDRANT_KEY, PROD_QDRANT_URL" in notes and "masking.key" in notes
    assert yaml.safe_load(charted(made)["Chart.yaml"])["version"].count(".") == 2


if HELM:

    def _template(chart: Path, *options: str) -> Iterator[dict[str, Any]]:
        done = process.run([str(HELM), "template", "one", str(chart), "--kube-version", VERSION, *options])
        return (said(one) for one in yaml.safe_load_all(done.stdout) if one)

    def _key(one: dict[str, Any]) -> tuple[str, str, str]:
        return one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]

    def test_helm_renders_the_plain_output(made: Plan, tmp_path: Path) -> None:
        write(tmp_path / "chart", charted(made), force=False)
        found = sorted(_template(tmp_path / "chart"), key=_key)
        assert found == sorted(objects(made), key=_key)

    def test_helm_finds_nothing_to_say(made: Plan, tmp_path: Path) -> None:
        write(tmp_path / "chart", charted(made), force=False)
        done = process.run([str(HELM), "lint", "--strict", str(tmp_path / "chart")], check=False)
        assert done.returncode == 0, done.stdout

    def test_helm_takes_other_values_and_refuses_wrong_ones(made: Plan, tmp_path: Path) -> None:
        write(tmp_path / "chart", charted(made), force=False)
        values = yaml.safe_load(charted(made)["values.yaml"])
        values["namespaces"]["create"], values["pool"]["size"] = False, "2Ti"
        options = ["--set", "namespaces.create=false", "--set", "pool.size=2Ti"]
        found = sorted(_template(tmp_path / "chart", *options), key=_key)
        assert found == sorted(rendered(charted(made), values), key=_key)
        for wrong in ("pool.sise=1Gi", "keep.prod.schedule=often", "image="):
            options = ["--kube-version", VERSION, "--set", wrong]
            done = process.run([str(HELM), "template", "one", str(tmp_path / "chart"), *options], check=False)
            assert done.returncode != 0 and "values don't meet the specifications" in done.stderr, done.stderr
