"""A service under made-up requests."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis.checks import load_all_checks
from schemathesis.generation import GenerationMode

from envclone.api import Stack
from envclone.serve.api import OPERATIONS, PREFIX
from envclone.serve.jobs import Jobs
from envclone.serve.options import Options
from envclone.serve.roles import Principal, Role
from tests.support.served import PASSWORD, Served, served


@contextmanager
def waiting(patched: pytest.MonkeyPatch) -> Iterator[Served]:
    """A service without an engine, whose jobs only wait."""
    patched.setattr(Jobs, "_start", lambda self: None)
    for name in ("start", "stop", "reset"):
        patched.setattr(Stack, name, lambda self, name, **_: self.show(name))
    patched.setattr(Stack, "parity", lambda self, name: [])
    with served(Options(calls_per_minute=10**9, strangers_per_minute=10**9, branches=10**9)) as here:
        (here.service.stack.project.loaded.stack.incidents / "77.json").write_text("{}")
        yield here


def fuzz(here: Served, *, each: int) -> Counter[int]:
    """So many requests of each route, right and wrong ones; returns the answers by status. Fails at the first bug."""
    load_all_checks()
    schema = schemathesis.openapi.from_asgi(f"{PREFIX}/openapi.json", here.app)
    token, statuses = here.token("ada", Role.OPERATOR), Counter[int]()
    job = here.service.jobs.submit(Principal("token:ada", "ada", Role.OPERATOR), "gc", {"dry_run": True})
    known = {"name": "adas", "part": "main", "image": "img-none", "incident": "77", "job": job.id}
    here.service.jobs.cancel(job.id)

    for operation in OPERATIONS:
        found: Any = schema[PREFIX + operation.path][operation.method]
        for mode in GenerationMode:

            @hypothesis.settings(
                max_examples=max(1, each // 2),
                deadline=None,
                database=None,
                suppress_health_check=list(hypothesis.HealthCheck),
                phases=[hypothesis.Phase.generate],
            )
            @hypothesis.given(case=found.as_strategy(generation_mode=mode), real=hypothesis.strategies.booleans())
            def ask(case: Any, real: bool) -> None:
                if real:  # a name that is there leads further in
                    if not here.service.state.pool.path_of("branches", "adas").exists():
                        here.branch("adas", "ada")
                    case.path_parameters = {key: known[key] for key in case.path_parameters or {}}
                    if isinstance(case.body, dict) and "environment" in case.body:
                        case.body["environment"] = "prod"
                response = case.call(headers={"authorization": f"Bearer {token}"})
                statuses[response.status_code] += 1
                text = response.text
                assert response.status_code < 500 or response.status_code in (502, 503), (case, text)
                assert "Traceback" not in text and (PASSWORD not in text or "/login" in case.path), (case, text)
                if response.status_code >= 400:
                    assert text.count("\n") == 1 and json.loads(text)["error"]["message"], (case, text)
                else:
                    case.validate_response(
                        response, checks=[schemathesis.checks.CHECKS.get_one(name) for name in _CHECKS]
                    )

            ask()
    return statuses


_CHECKS = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance")
