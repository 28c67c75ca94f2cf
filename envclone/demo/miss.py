"""Finds questions that the approximate index answers with nothing relevant, though the exact search does."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, LiteralString

from envclone.errors import EnvcloneError
from envclone.models import ProgressEvent
from envclone.protocols import Progress

if TYPE_CHECKING:
    import psycopg

    from envclone.demo.production import DemoProduction

__all__ = ["LIMIT", "SEARCH", "Miss", "Question", "Survey", "ask", "exactly", "find_miss", "questions", "survey"]

LIMIT = 10

SEARCH: LiteralString = (
    "SELECT id, title, source, embedding <=> %(question)s::vector AS distance\n"
    "FROM chunks\n"
    "ORDER BY embedding <=> %(question)s::vector\n"
    f"LIMIT {LIMIT:d}"
)
"""The application's search; `question` is a list of numbers."""


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody may ask, and its embedding; `about` is the code of the article that answers it."""

    text: str
    vector: tuple[float, ...]
    about: str


@dataclass(frozen=True, slots=True)
class Miss:
    """A question whose answers through the index and without it have `recall` in common (0 to 1)."""

    question: str
    vector: tuple[float, ...]
    about: str
    approximate: tuple[int, ...]
    exact: tuple[int, ...]
    recall: float


@dataclass(frozen=True, slots=True)
class Survey:
    """Every question's answers through the index and without it, by the question's text."""

    answers: Mapping[str, Miss]
    seconds: float

    @property
    def misses(self) -> tuple[Miss, ...]:
        """The questions that the index answers with nothing relevant."""
        return tuple(answer for answer in self.answers.values() if answer.recall == 0)

    @property
    def recall(self) -> float:
        """The mean recall over all questions."""
        return sum(answer.recall for answer in self.answers.values()) / len(self.answers)


def questions(production: DemoProduction) -> tuple[Question, ...]:
    """One question per article of the knowledge base."""
    articles = production.desk.articles
    vectors = production.embedder.embed([article.question for article in articles])
    return tuple(
        Question(article.question, tuple(vector), article.code)
        for article, vector in zip(articles, vectors.tolist(), strict=True)
    )


def exactly(production: DemoProduction, asked: Sequence[Question]) -> dict[str, tuple[int, ...]]:
    """The ids that an exact search gives, by brute force over the vectors that production was loaded with."""
    import numpy as np
    import psycopg

    with psycopg.connect(production.app_dsn) as conn:
        ids = np.array([row[0] for row in conn.execute("SELECT id FROM chunks ORDER BY id")])
    similarity = np.array([q.vector for q in asked], np.float32) @ production.vectors[ids - 1].T
    best = np.argsort(-similarity, axis=1, kind="stable")[:, :LIMIT]
    return {question.text: tuple(ids[row].tolist()) for question, row in zip(asked, best, strict=True)}


def survey(dsn: str, asked: Sequence[Question], exact: Mapping[str, tuple[int, ...]], *, progress: Progress) -> Survey:
    """Ask every question through the index, as the role of `dsn` with its settings; `exact` holds the truth.

    Each miss is confirmed by an exact search in the server itself. Raises EnvcloneError when the planner does
    not use the index, for then nothing can be missed.
    """
    import psycopg

    started = time.perf_counter()
    found: dict[str, Miss] = {}
    with psycopg.connect(dsn, autocommit=True) as conn:
        _require_index(conn, asked[0])
        for number, question in enumerate(asked):
            if number % 50 == 0:
                progress(ProgressEvent("ask the knowledge base", number, len(asked), "rows"))
            approximate, truth = ask(conn, question.vector), exact[question.text]
            if not set(approximate) & set(truth):
                truth = _exactly(conn, question)
            recall = len(set(approximate) & set(truth)) / len(truth)
            found[question.text] = Miss(question.text, question.vector, question.about, approximate, truth, recall)
    return Survey(found, round(time.perf_counter() - started, 3))


def find_miss(production: DemoProduction, *, progress: Progress) -> Miss:
    """The first question with recall 0; raises EnvcloneError when this index misses none."""
    asked = questions(production)
    misses = survey(production.app_dsn, asked, exactly(production, asked), progress=progress).misses
    if not misses:
        raise EnvcloneError(
            "this production's index misses none of the questions",
            hint="its levels are random: run the demo again",
        )
    return misses[0]


def ask(conn: psycopg.Connection[Any], vector: Sequence[float]) -> tuple[int, ...]:
    """The ids that the application's search gives."""
    # a prepared plan would outlive a change of the planner settings
    rows = conn.execute(SEARCH, {"question": list(vector)}, prepare=False).fetchall()
    return tuple(int(row[0]) for row in rows)


def _exactly(conn: psycopg.Connection[Any], question: Question) -> tuple[int, ...]:
    with conn.transaction():
        conn.execute("SET LOCAL enable_indexscan = off")
        return ask(conn, question.vector)


def _require_index(conn: psycopg.Connection[Any], question: Question) -> None:
    plan = conn.execute("EXPLAIN " + SEARCH, {"question": list(question.vector)}).fetchall()
    if not any("Index Scan" in row[0] for row in plan):
        raise EnvcloneError("the planner does not use the vector index", hint="check random_page_cost and ANALYZE")
