"""Files are written all or none, and nothing of anybody's is overwritten; the command says what it did."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from envclone.cli.main import cli
from envclone.errors import UsageError
from envclone.manifests.write import write
from tests.unit.manifests.stacks import IMAGE, directory


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    files = {"a/one.yaml": "1\n", "two.yaml": "2\n"}
    assert write(tmp_path / "out", files, force=False).written == ("a/one.yaml", "two.yaml")
    assert write(tmp_path / "out", files, force=False).unchanged == ("a/one.yaml", "two.yaml")
    (tmp_path / "out" / "two.yaml").write_text("mine\n")
    with pytest.raises(UsageError, match=r"two\.yaml"):
        write(tmp_path / "out", {**files, "a/one.yaml": "1\n", "three.yaml": "3\n"}, force=False)
    assert not (tmp_path / "out" / "three.yaml").exists()
    assert (tmp_path / "out" / "two.yaml").read_text() == "mine\n"
    assert write(tmp_path / "out", files, force=True).written == ("two.yaml",)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").write_text("2\n")
    (tmp_path / "out" / "two.yaml").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError):
        write(tmp_path / "out", {"two.yaml": "2\n"}, force=False)
    write(tmp_path / "out", {"two.yaml": "3\n"}, force=True)
    assert (tmp_path / "elsewhere").read_text() == "2\n"


def test_what_is_made_no_more_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"50-keep-a.yaml": "1\n", "50-keep-b.yaml": "1\n"}, force=False)
    assert write(tmp_path, {"50-keep-a.yaml": "1\n"}, force=False).stale == ("50-keep-b.yaml",)


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="no directory"):
        write(tmp_path / "file", {"a": ""}, force=True)


def test_the_command(tmp_path: Path) -> None:
    options = ["--file", str(directory(tmp_path)), "manifests", "--image", IMAGE]
    printed = CliRunner().invoke(cli, options)
    assert printed.exit_code == 0 and "warning: nothing says where production is" in printed.stderr
    documents = [one for one in yaml.safe_load_all(printed.stdout) if one]
    assert json.loads(CliRunner().invoke(cli, [*options, "--json"]).stdout)["objects"] == documents
    told = json.loads(CliRunner().invoke(cli, [*options, "-o", str(tmp_path / "k8s"), "--json"]).stdout)
    assert sorted(told["written"]) == sorted(path.name for path in (tmp_path / "k8s").iterdir())
    assert "wrote" not in printed.stdout
    chart = CliRunner().invoke(cli, [*options, "--helm", "-o", str(tmp_path / "chart")])
    assert chart.exit_code == 0 and (tmp_path / "chart" / "templates" / "NOTES.txt").is_file()
    assert isinstance(CliRunner().invoke(cli, [*options, "--helm"]).exception, UsageError)
