"""Every page of the service with values as they come, with hostile ones, and with none."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from envclone.pages.board import branches, images, incidents, jobs, others
from envclone.pages.board.values import (
    AuditRow,
    BranchPage,
    BranchRow,
    Confirm,
    EndpointRow,
    Frame,
    ImagePage,
    ImageRow,
    IncidentPage,
    IncidentRow,
    JobRow,
    Log,
    LoginPage,
    Overview,
    Usage,
    VariableRow,
)
from envclone.pages.report.values import Held
from tests.unit.pages.report.samples import LONG, typical
from tests.unit.pages.report.samples import SAMPLES as REPORTS
from tests.unit.pages.test_attestation import _statement

__all__ = ["EVIL", "FRAME", "NOW", "PAGES", "ROW", "page_of"]

NOW = dt.datetime(2026, 5, 1, 13, 0, tzinfo=dt.UTC)
EVIL = '<script>alert(1)</script><img src="http://evil.example/x" onerror=alert(1)></style></title>"\'&\u202e\x1b[31m'
"""What a name, a log or a text of production may be."""
DEEDS = frozenset((
    "start", "stop", "reset", "remove", "branch", "report", "audit", "extend", "image", "snapshot", "gc",
))  # fmt: skip
FRAME = Frame("jane", "operator", "t0ken", DEEDS, "helpdesk", "overview")
MIB = 1 << 20

ROW = BranchRow(
    "prod-1234",
    "prod",
    "running",
    NOW - dt.timedelta(hours=3),
    NOW + dt.timedelta(hours=5),
    "jane",
    NOW - dt.timedelta(hours=4),
    "1234",
    Usage(211.0 * MIB, 512.0 * MIB, 2, 31.4),
    mine=True,
)
ROWS = (
    ROW,
    replace(
        ROW,
        name="prod-9f2c",
        state="stopped",
        owner="otto",
        incident="",
        usage=Usage(limit=512.0 * MIB, cpus=2),
        protected=True,
        expires_at=None,
    ),
    replace(ROW, name="prod-77", incident="", mine=False, owner="mira"),
    replace(ROW, name="prod-old", state="stopped", expires_at=NOW - dt.timedelta(hours=1)),
    replace(ROW, name="prod-broken", state="failed", usage=Usage()),
)
IMAGE = ImageRow(
    "prod-20260501T0955-7f3a", "prod", NOW - dt.timedelta(hours=4), ("main", "kb"), 1.0, size=3 << 30,
    exceptions=3, branches=("prod-1234", "prod-9f2c"),
)  # fmt: skip
IMAGES = (
    IMAGE,
    replace(IMAGE, id="prod-20260430T0400-aa01", fidelity=0.998, rebuilt=True, exceptions=0, branches=()),
    replace(IMAGE, id="stage-1", flaw="its attestation was altered, or another key signed it", fidelity=None),
)
JOB = JobRow(
    "20260501t125500-0123456789ab", "report 1234 in prod-1234", "running", "jane", NOW - dt.timedelta(minutes=5),
    step="sweeping hnsw.ef_search", share=0.43, events="/api/v1/jobs/1/events", mine=True,
    lines=("masking the bundle", "replaying 3 steps"),
)  # fmt: skip
JOBS = (
    JOB,
    replace(JOB, id="20260501t125500-0123456789ac", state="done", ended_at=NOW, result="/incidents/1234"),
    replace(
        JOB, id="20260501t125500-0123456789ad", what="branch prod", state="failed",
        error="there is no image of 'prod' to branch from", hint="an operator makes one: envclone image prod",
    ),
)  # fmt: skip
BRANCH = BranchPage(
    ROW,
    IMAGE.id,
    "local",
    NOW,
    (
        EndpointRow("main", "postgres", "127.0.0.1:54321", "helpdesk", "branch"),
        EndpointRow("kb", "qdrant", "embedded", note="its files are read in process"),
    ),
    (("api", "example/api@sha256:0f0f"),),
    ("model.example:443",),
    ("main: no limit of writes on this machine",),
    ("the state of 2026-05-01 09:58:12 UTC, as production was copied",),
    (("main", ROW.usage), ("kb", Usage())),
    typical().parity,
    logs=(Log("main", "LOG:  database system is ready to accept connections\n" * 30), Log("kb", lacking="it has none")),
    login="once",
    lives=("1h", "8h", "7d", "none"),
)
INCIDENT = IncidentRow("1234", ("prod-1234",), "reproduced", 1)
VARIABLES = (
    VariableRow("query vector", "unknown", "which neighbours were asked for", "--embed-with COMMAND"),
    VariableRow("model", "recorded"),
    VariableRow("state of the stores", "pinned"),
)
STEPS = (("retrieve", "SQL on main as app", "10 results"), ("customer", "SQL on main", "3 rows"))

PAGES = {
    "login": others.login(Frame(token="t0ken", project="helpdesk"), refusal="The token is not valid.", oidc=True),
    "entered": others.entered(FRAME),
    "overview": branches.overview(FRAME, Overview(NOW, ROWS, IMAGES, JOBS, ("prod", "stage"), ("1234",))),
    "many": branches.overview(
        FRAME,
        Overview(NOW, ROWS * 4, IMAGES, (), ("prod", "stage"), ("1234",), sought="prod", found=240, total=300, page=2,
                 pages=3),
    ),
    "not found": branches.overview(FRAME, Overview(NOW, (), environments=("prod",), sought="nobody", total=300)),
    "nothing": branches.overview(FRAME, Overview(NOW, environments=("prod",))),
    "branch": branches.branch(replace(FRAME, said="Started."), BRANCH),
    "stopped": branches.branch(
        FRAME,
        replace(BRANCH, row=ROWS[1], endpoints=(), usages=(), parity=None, logs=(), lacking="the branch is stopped"),
    ),
    "handed out": branches.login(FRAME, LoginPage("prod-1234", (("PGPASSWORD", "s3cret"),), "Shown once: keep it.")),
    "confirm": others.confirm(
        FRAME,
        Confirm("Remove prod-1234?", "Its servers stop, and what was changed in it is gone.",
                "/branches/prod-1234/remove", "Remove it", "/branches/prod-1234"),
    ),
    "images": images.images(replace(FRAME, here="images"), IMAGES, NOW, ("prod", "stage")),
    "image": images.image(replace(FRAME, here="images"), ImagePage(IMAGE, _statement(), NOW)),
    "refused image": images.image(replace(FRAME, here="images"), ImagePage(IMAGES[2], None, NOW)),
    "incidents": incidents.incidents(
        replace(FRAME, here="incidents"), (INCIDENT, IncidentRow("88", (), "not reproduced"), IncidentRow("9"))
    ),
    "bundle": incidents.incident(
        replace(FRAME, here="incidents"),
        IncidentPage(INCIDENT, "prod", NOW, "Our Valyar thermostat overheats, what can we do?", STEPS, VARIABLES),
    ),
    "incident": incidents.incident(
        replace(FRAME, here="incidents"),
        IncidentPage(INCIDENT, "prod", NOW, "", STEPS, VARIABLES, typical()),
    ),
    "jobs": jobs.jobs(replace(FRAME, here="jobs"), JOBS, NOW),
    "job": jobs.job(replace(FRAME, here="jobs"), JOB, NOW),
    "failed job": jobs.job(replace(FRAME, here="jobs"), JOBS[2], NOW),
    "collected": jobs.job(
        replace(FRAME, here="jobs"),
        replace(JOB, what="gc", state="done", tried=True,
                came=("branch prod-9f2c: its time is over", "image img-9f2c: a newer one is there")), NOW,
    ),
    "audit": others.audit(
        replace(FRAME, here="audit"),
        tuple(
            AuditRow(f"2026-05-01T12:{n:02}:00+00:00", "root", "branch", f"name: prod-{n}, image: {IMAGE.id}")
            for n in range(30)
        ),
        older=2,
    ),
    "refused": others.refused(FRAME, "Not found", "There is no branch of this name.", hint="envclone ls"),
}  # fmt: skip


def page_of(text: str) -> dict[str, str]:
    """The pages that show names and texts, with one text everywhere."""
    row = replace(ROW, name=text, environment=text, owner=text, incident=text, state=text)
    picture = replace(IMAGE, id=text, environment=text, stores=(text,), flaw=text, branches=(text,))
    work = replace(JOB, id=text, what=text, owner=text, step=text, lines=(text,) * 3, error=text, hint=text, state=text)
    frame = Frame(text, text, text, DEEDS, text, "overview", text, True)
    seen = IncidentRow(text, (text,), text)
    return {
        "overview": branches.overview(frame, Overview(NOW, (row,), (picture,), (work,), (text,), (text,))),
        "many": branches.overview(
            frame, Overview(NOW, (row,) * 20, sought=text, found=240, total=300, page=2, pages=3)
        ),
        "sought": branches.overview(frame, Overview(NOW, sought=text, total=300)),
        "branch": branches.branch(
            frame,
            replace(
                BRANCH, row=row, image=text, runtime=text, endpoints=(EndpointRow(*[text] * 6),),
                services=((text, text),), allow=(text,), degraded=(text,), moment=(text, text),
                usages=((text, Usage()),), parity=(Held(text, text, text, text, "differs"),),
                logs=(Log(text, text), Log(text, lacking=text)), lives=(text,),
            ),
        ),
        "handed out": branches.login(frame, LoginPage(text, ((text, text),), text)),
    "lacking": branches.branch(frame, replace(BRANCH, lacking=text)),
        "images": images.images(frame, (picture,), NOW, (text,)),
        "image": images.image(frame, ImagePage(picture, None, NOW)),
        "incidents": incidents.incidents(frame, (seen,)),
        "bundle": incidents.incident(
            frame,
            IncidentPage(seen, text, NOW, text, ((text, text, text),), (VariableRow(text, text, text, text),)),
        ),
        "incident": incidents.incident(
            frame, IncidentPage(seen, text, NOW, text, variables=VARIABLES, report=REPORTS["hard"])
        ),
        "masked": incidents.incident(frame, IncidentPage(seen, lacking=text)),
        "jobs": jobs.jobs(frame, (work,), NOW),
        "job": jobs.job(frame, replace(work, state="running"), NOW),
        "ended": jobs.job(frame, replace(work, result=text, came=(text,)), NOW),
        "audit": others.audit(frame, (AuditRow(text, text, text, text),), suspicion=text),
        "confirm": others.confirm(frame, Confirm(text, text, text, text, text)),
        "login": others.login(frame, refusal=text),
        "refused": others.refused(frame, text, text, hint=text),
    }  # fmt: skip


HARD = page_of(EVIL + " " + LONG)
