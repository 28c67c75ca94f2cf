"""The templates of CI services: of the form that the service takes, and of commands that there are."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from envclone import process
from envclone.ci import SERVICES, template
from envclone.cli.main import cli
from tests.unit.test_snippets import parse


def _loaded(service: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(template(service))
    return document


def _scripts(service: str) -> list[str]:
    document = _loaded(service)
    if service == "github":
        return [step["run"] for step in document["runs"]["steps"] if "run" in step]
    return [line for job in document.values() for key in ("before_script", "script") for line in job.get(key, ())]


@pytest.mark.parametrize("service", SERVICES)
def test_it_is_printed(service: str) -> None:
    assert CliRunner().invoke(cli, ["ci", service]).output == template(service)


def test_the_action_is_a_composite_one() -> None:
    action = _loaded("github")
    assert set(action) == {"name", "description", "inputs", "outputs", "runs"}
    assert action["runs"]["using"] == "composite"
    for step in action["runs"]["steps"]:
        assert ("run" in step) != ("uses" in step) and step.get("shell", "bash") == "bash" and step["name"]
        assert "${{" not in step.get("run", ""), "what a caller gives is data, and no part of a script"
    for one in action["inputs"].values():
        assert set(one) == {"description", "required", "default"} and isinstance(one["default"], str)
    used = set(re.findall(r"inputs\.([a-z-]+)", template("github")))
    assert used == set(action["inputs"])


def test_the_template_is_of_jobs() -> None:
    document = _loaded("gitlab")
    hidden = document.pop(".envclone")
    assert set(hidden) == {"image", "stage", "variables", "before_script"}
    for job in document.values():
        assert job["extends"] == ".envclone" and all(isinstance(line, str) for line in job["script"])
    report = document["envclone-regress"]["artifacts"]
    assert report["when"] == "always" and report["reports"]["junit"] in document["envclone-regress"]["script"][-1]


@pytest.mark.parametrize("service", SERVICES)
def test_its_scripts_are_right(service: str) -> None:
    found = 0
    for script in _scripts(service):
        process.run(["bash", "-n", "-c", script])
        for line in re.findall(r"envclone (?:scan|case|regress) .*", script):
            plain = re.sub(r"\$\{[A-Z_]+:\+(--trust) \"\$[A-Z_]+\"\}", r"\1 x", line)
            plain = re.sub(r'"?\$\{[A-Za-z_]+[^}]*\}"?', "", plain).replace('"$archive"', "/dev/null")
            parse(shlex.split(re.sub(r'"\$[A-Z_]+"', "1", plain))[1:])
            found += 1
    assert found == 3
