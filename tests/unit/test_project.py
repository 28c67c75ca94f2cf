"""What stack file and pool decide together is computed once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from envclone import keys
from envclone.lifecycle import publish
from envclone.project import Project
from tests.support.postgres import scratch

STACK = """\
version: 1
project: acme
pool: {path: "POOL", driver: copy}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "postgresql://127.0.0.1/x"}}
sanitize:
  domains: {mail: {kind: email}}
  rules: {main: {public.people.email: mail}}
  hooks: [before.sql]
"""


@pytest.fixture
def project() -> Iterator[Project]:
    with scratch() as place:
        (place / "before.sql").write_text("-- stage: before\n-- store: main\nSELECT 1\n")
        file = place / "envclone.yaml"
        file.write_text(STACK.replace("POOL", str(place / "pool")))
        yield Project.open(file)


def test_name_domains_and_key(project: Project) -> None:
    assert project.name == "acme"
    assert project.domains["mail"].kind == "email"
    assert project.key_id == keys.key_id(project.masking_key)


def test_each_is_computed_once(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    first = (project.rules_digest, project.key_id, project.domains)
    for name in ("envclone.keys.masking_key", "envclone.keys.key_id", "envclone.masking.rules.digest"):
        monkeypatch.setattr(name, lambda *_: pytest.fail("computed again"))
    assert (project.rules_digest, project.key_id, project.domains) == first


def test_a_hook_that_changes_meanwhile_is_noticed(project: Project) -> None:
    assert project.rules_digest
    assert publish._changed(project) is None
    (project.loaded.directory / "before.sql").write_text("-- stage: before\n-- store: main\nSELECT 2\n")
    assert publish._changed(project) == "before.sql"
