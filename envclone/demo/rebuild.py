"""The obvious thing: dump production, restore it into a fresh cluster, and ask again there."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from envclone import process
from envclone.demo.cluster import cluster
from envclone.demo.miss import Miss, Survey, exactly, questions, survey
from envclone.demo.production import APP, DATABASE, DemoProduction
from envclone.errors import EnvcloneError
from envclone.models import ProgressEvent
from envclone.protocols import Progress

__all__ = ["Comparison", "Restored", "choose", "compare", "restored"]

OWNER = "restorer"
"""Not production's superuser, whose role comes with the dump."""


@dataclass(frozen=True, slots=True)
class Restored:
    """A running copy of production that went through a dump; `seconds` per part, `bytes` of the dump."""

    app_dsn: str
    seconds: Mapping[str, float]
    bytes: int

    @property
    def total_seconds(self) -> float:
        """How long the copy took to be ready."""
        return round(sum(self.seconds.values()), 3)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the index misses in production and in the restored copy.

    `gone` are the misses that the copy answers, `appeared` those that only the copy has; `identical` is the
    fraction of all questions that got the same ids in the same order.
    """

    production: Survey
    copy: Survey
    seconds: float
    gone: tuple[Miss, ...]
    appeared: tuple[Miss, ...]
    identical: float


@contextmanager
def restored(production: DemoProduction, into: Path, *, progress: Progress) -> Iterator[Restored]:
    """Dump production with roles and settings, restore it into a cluster in `into`, run that until the end.

    `into` must exist, be empty, and be open (mode x) to the account that servers run as.
    """
    engine = production.cluster.engine
    seconds: dict[str, float] = {}
    dump, globals_ = into / "production.dump", into / "globals.sql"
    for path in (dump, globals_):
        path.touch(mode=0o600)
    progress(ProgressEvent("rebuild: dump", 0, 3))
    started = time.perf_counter()
    process.run([engine.program("pg_dumpall"), "--globals-only", "-d", production.dsn, "-f", globals_])
    process.run([engine.program("pg_dump"), "-Fc", "-Z", "none", "-d", production.dsn, "-f", dump])
    seconds["dump"] = round(time.perf_counter() - started, 3)
    progress(ProgressEvent("rebuild: start", 1, 3))
    started = time.perf_counter()
    with cluster(into, owner=OWNER, durable=False) as fresh:
        seconds["start"] = round(time.perf_counter() - started, 3)
        progress(ProgressEvent("rebuild: restore", 2, 3))
        started = time.perf_counter()
        psql: list[str | Path] = [engine.program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", fresh.conninfo()]
        process.run([*psql, "-f", globals_])
        restore: list[str | Path] = [
            engine.program("pg_restore"),
            "--create",
            "--exit-on-error",
            "-d",
            fresh.conninfo(),
            dump,
        ]
        process.run(restore)
        process.run([engine.program("vacuumdb"), "-q", "--analyze-only", "-d", fresh.conninfo(database=DATABASE)])
        seconds["restore"] = round(time.perf_counter() - started, 3)
        size = dump.stat().st_size
        for path in (dump, globals_):
            path.unlink()
        fresh.add_login(production.app)
        yield Restored(fresh.conninfo(user=APP, database=DATABASE), seconds, size)


def compare(production: DemoProduction, into: Path, *, progress: Progress, before: Survey | None = None) -> Comparison:
    """Ask every question in production and in a restored copy; `before` is production's survey, if it was made."""
    asked = questions(production)
    truth = exactly(production, asked)
    if before is None:
        before = survey(production.app_dsn, asked, truth, progress=progress)
    with restored(production, into, progress=progress) as copy:
        after = survey(copy.app_dsn, asked, truth, progress=progress)
        seconds = copy.total_seconds
    same = sum(after.answers[text].approximate == answer.approximate for text, answer in before.answers.items())
    return Comparison(
        production=before,
        copy=after,
        seconds=seconds,
        gone=tuple(miss for miss in before.misses if after.answers[miss.question].recall > 0),
        appeared=tuple(miss for miss in after.misses if before.answers[miss.question].recall > 0),
        identical=same / len(before.answers),
    )


def choose(comparison: Comparison) -> Miss:
    """Production's miss that the copy answers best; raises EnvcloneError when production has none."""
    if not comparison.production.misses:
        raise EnvcloneError(
            "this production's index misses none of the questions",
            hint="its levels are random: run the demo again",
        )
    answers = comparison.copy.answers
    return max(comparison.production.misses, key=lambda miss: answers[miss.question].recall)
