"""The demo, end to end: a production with a bug in its state, a branch that still has it, a dump that has lost it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from envclone import attestation, process
from envclone.api import Stack, open_stack
from envclone.cow import loop
from envclone.demo import rebuild
from envclone.demo.incident import INCIDENT, incident_steps
from envclone.demo.miss import Miss, Survey, exactly, questions, survey
from envclone.demo.production import APP, DemoProduction, build
from envclone.demo.stack import ENVIRONMENT, stack_yaml
from envclone.errors import EnvcloneError
from envclone.incidents import files
from envclone.models import Branch
from envclone.protocols import Progress
from envclone.stores.qdrant.engine import aside

__all__ = ["DemoReport", "run"]

POOL_SIZE = 8 * 2**30
"""Bytes at most of the demo's loop-mounted pool; the file is sparse."""


@dataclass(frozen=True, slots=True)
class DemoReport:
    """Every figure of the story. Fractions are of all questions asked; bytes are of the pool."""

    question: str
    directory: str | None
    branch: str
    url: str
    driver: str
    rows: dict[str, int]
    questions: int
    misses_in_production: int
    reproduced: bool
    steps: dict[str, bool]
    expected: str
    causes: list[str]
    page: str | None
    page_bytes: int
    page_seconds: float
    identical_fraction: float
    recall_in_branch: float
    rebuilt_seconds: float
    rebuilt_recall: float
    rebuilt_identical_fraction: float
    residue_hits: int
    orphans: int
    values_masked: int
    originals: int
    bytes_searched: int
    build_seconds: float
    image_seconds: float
    branch_seconds: float
    image_bytes: int
    image_extra_bytes: int
    branch_extra_bytes: int
    total_seconds: float

    def to_json(self) -> dict[str, Any]:
        """The figures as plain values."""
        return asdict(self)


def run(*, keep: bool, progress: Progress, page: Path | None = None) -> DemoReport:
    """Play the story and return its figures; everything is removed at the end unless `keep`.

    The incident's page is written to `page`; without one into the demo's own directory.

    Raises EnvcloneError when production has no miss to show, or as any of the stations does.
    """
    began = time.monotonic()
    with _place(keep) as directory:
        for name in ("production", "rebuilt"):
            (directory / name).mkdir(mode=0o711)
        with build(directory / "production", progress=progress) as production:
            build_seconds = time.monotonic() - began
            asked = questions(production)
            truth = exactly(production, asked)
            before = survey(production.app_dsn, asked, truth, progress=progress)
            rebuilt = rebuild.compare(production, directory / "rebuilt", progress=progress, before=before)
            miss = rebuild.choose(rebuilt)
            stack = _stack(directory, production, miss, progress)
            _record(stack, directory / "incidents" / f"{INCIDENT}.yaml")
            started = time.monotonic()
            image = stack.image(ENVIRONMENT)
            image_seconds = time.monotonic() - started
            pool, cow = stack.project.pool, stack.project.cow
            # before there is a branch: its clone shares every block of the image
            image_bytes, image_extra = cow.usage(pool.path_of("images", image.id))
            branch_seconds = _branch_as_a_user(directory)
        # production is gone from here on: the branch stands by itself
        branch = stack.show(f"{ENVIRONMENT}-{INCIDENT}")
        after = survey(_app_dsn(branch), asked, truth, progress=progress)
        replay = stack.replay(INCIDENT, branch.name)
        told = time.monotonic()
        file = page or directory / f"incident-{INCIDENT}.html"
        shown = stack.report(INCIDENT, branch.name, into=file, expected=[str(miss.exact[0])])
        page_seconds = time.monotonic() - told
        _, branch_extra = cow.usage(pool.path_of("branches", branch.name))
        statement = attestation.read(pool.path_of("images", image.id), pool.path_of("keys", ""))
        from envclone.endpoints import url

        report = DemoReport(
            question=miss.question,
            directory=str(directory) if keep else None,
            branch=branch.name,
            url=url(branch.endpoints["main"], reveal=keep),
            driver=cow.name,
            rows=dict(production.rows),
            questions=len(asked),
            misses_in_production=len(before.misses),
            reproduced=replay.reproduced,
            steps={verdict.step: verdict.reproduced for verdict in replay.steps},
            expected=str(miss.exact[0]),
            causes=[f"{cause.layer}: {cause.says}" for cause in shown.story.causes],
            page=str(file) if keep or page else None,
            page_bytes=file.stat().st_size,
            page_seconds=round(page_seconds, 2),
            identical_fraction=_identical(before, after),
            recall_in_branch=after.answers[miss.question].recall,
            rebuilt_seconds=rebuilt.seconds,
            rebuilt_recall=rebuilt.copy.answers[miss.question].recall,
            rebuilt_identical_fraction=round(rebuilt.identical, 4),
            residue_hits=statement["checks"]["files"]["residue_hits"],
            orphans=sum(check["orphans"] for check in statement["checks"]["integrity"].values()),
            values_masked=sum(sum(one["rewrite"]["values"].values()) for one in statement["stores"].values()),
            originals=statement["checks"]["fields"]["originals"],
            bytes_searched=statement["checks"]["files"]["bytes"],
            build_seconds=round(build_seconds, 2),
            image_seconds=round(image_seconds, 2),
            branch_seconds=round(branch_seconds, 3),
            image_bytes=image_bytes,
            image_extra_bytes=image_extra,
            branch_extra_bytes=branch_extra,
            total_seconds=round(time.monotonic() - began, 2),
        )
        if not keep:
            stack.remove(branch.name)
        return report


def _branch_as_a_user(directory: Path) -> float:
    """Seconds of the whole process `envclone branch prod --incident 1234` on the image that is there."""
    started = time.monotonic()
    arguments: list[str | Path] = [
        "--file",
        directory / "envclone.yaml",
        "--quiet",
        "branch",
        ENVIRONMENT,
        "--incident",
        INCIDENT,
    ]
    process.run([sys.executable, "-m", "envclone.cli.main", *arguments])
    return time.monotonic() - started


def _stack(directory: Path, production: DemoProduction, miss: Miss, progress: Progress) -> Stack:
    """The stack file and the incident's bundle, as a user would have written them."""
    file = directory / "envclone.yaml"
    file.write_text(stack_yaml(production, directory / "pool"))
    (directory / "incidents").mkdir(mode=0o700)
    files.save(incident_steps(miss, production), directory / "incidents" / f"{INCIDENT}.yaml")
    return open_stack(file, progress=progress)


def _record(stack: Stack, bundle: Path) -> None:
    """Record the incident in a copy of this process, as a command of its own would: what searches in Qdrant's files has
    threads from then on, and an image is made by copies of a process that has none."""

    def run() -> None:
        stack.record(bundle)

    aside(run)


def _app_dsn(branch: Branch) -> str:
    """The branch as the application's own role, over the operator's socket: that role's settings count."""
    from psycopg.conninfo import make_conninfo

    main = branch.endpoints["main"]
    return make_conninfo("", host=str(main.socket), port=main.port, user=APP, dbname=main.database)


def _identical(before: Survey, after: Survey) -> float:
    same = sum(after.answers[text].approximate == answer.approximate for text, answer in before.answers.items())
    return round(same / len(before.answers), 4)


@contextmanager
def _place(keep: bool) -> Iterator[Path]:
    """A directory with a pool: loop-mounted XFS where this user may, else what the file system offers."""
    directory = Path(tempfile.mkdtemp(prefix="envclone-demo-", dir="/tmp"))
    directory.chmod(0o711)
    pool = directory / "pool"
    mounted = False
    try:
        if os.geteuid() == 0:
            try:
                loop.create(pool, POOL_SIZE)
                mounted = True
            except EnvcloneError:
                mounted = False  # without xfsprogs or loop devices the demo copies, and its figures say so
        yield directory
    except BaseException:
        keep = False
        raise
    finally:
        if not keep:
            if (pool / "branches").is_dir():
                stack = open_stack(directory / "envclone.yaml") if (directory / "envclone.yaml").exists() else None
                for branch in stack.branches() if stack else ():
                    stack.remove(branch.name, force=True) if stack else None
            if mounted:
                loop.remove(pool, force=True)
            shutil.rmtree(directory, ignore_errors=True)
