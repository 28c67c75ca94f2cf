"""What a job's program looks at before it begins."""

from __future__ import annotations

from dataclasses import replace

import pytest

from envclone.errors import UsageError
from envclone.serve.jobs import Job
from envclone.serve.work import VERBS, _own, work_of
from tests.support.served import served


def test_a_job_that_waited_works_in_no_branch_of_somebody_else_s() -> None:
    job = Job(
        "20200101t000000-000000000000", "replay", {"branch": "adas"}, "token:ada", "ada", "engineer", "queued", ""
    )
    with served() as here:
        here.branch("adas", "ada")
        _own(here.service.stack, job, here.service.ledger)
        eve = replace(job, owner="token:eve", owner_name="eve")
        with pytest.raises(UsageError):
            _own(here.service.stack, eve, here.service.ledger)
        _own(here.service.stack, replace(eve, role="operator"), here.service.ledger)
        here.service.ledger.drop("adas")
        with pytest.raises(UsageError):
            _own(here.service.stack, job, here.service.ledger)


def test_there_is_no_other_work() -> None:
    for verb in VERBS:
        assert work_of(verb)
    with pytest.raises(UsageError):
        work_of("sql")
