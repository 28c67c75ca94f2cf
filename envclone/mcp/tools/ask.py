"""Tools that ask a branch's stores: SQL, and searches by a vector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, FiniteFloat, model_validator

from envclone import registry
from envclone.errors import UsageError
from envclone.mcp.tools.base import Arguments, BranchName, Data, Done, Store, Tell, Tool
from envclone.protocols.asking import Answer, Asking, Bounds, Nearest

if TYPE_CHECKING:
    from envclone.mcp.session import Session
    from envclone.models import Endpoint

__all__ = ["SQL", "VECTOR_SEARCH"]

_ROOM = 4
"""How many times the size of a result a store may send: values are cut afterwards."""


class SqlArguments(Arguments):
    """One statement."""

    sql: str = Field(min_length=1, max_length=50_000, description="One statement, with `$1` or `%s` for parameters.")
    parameters: list[Any] | None = Field(default=None, max_length=1000, description="Its parameters, in order.")
    branch: BranchName
    store: Store


class SqlResult(Data):
    """The rows."""

    columns: list[str]
    rows: list[list[Any]]
    truncated: bool = Field(description="Whether rows were left out because the result was too large.")
    status: str = Field(description="What a statement that writes did, such as `UPDATE 3`.")
    seconds: float


def _sql(session: Session, given: SqlArguments, tell: Tell) -> Done:
    branch = session.branch(given.branch)
    endpoint = session.endpoint(branch, given.store, "postgres")
    answer = _asking(endpoint).sql(endpoint, given.sql, given.parameters, _bounds(session))
    session.stack.touch(branch.name)
    _require(answer)
    found = answer.result
    result = SqlResult(
        columns=list(found.columns),
        rows=[list(row) for row in found.rows],
        truncated=False,
        status=answer.status,
        seconds=found.seconds,
    )
    return Done(result, answer.status or f"{len(found.rows)} rows in {found.seconds:.3f} s")


SQL = Tool(
    name="sql",
    title="Ask in SQL",
    description="Run one SQL statement in a branch's PostgreSQL. By default it may only read (SELECT, EXPLAIN, SHOW, "
    "VALUES, TABLE), as a role without rights to write; `status` says whether this server lets a session write in its "
    "branches. Give it a LIMIT: too many rows are an error.",
    arguments=SqlArguments,
    result=SqlResult,
    run=_sql,
    read_only=True,
    idempotent=True,
)


class SearchArguments(Arguments):
    """A search by a vector."""

    place: str = Field(
        min_length=1, max_length=200, description="A Qdrant collection, or a PostgreSQL table (`schema.table`)."
    )
    vector: list[FiniteFloat] | None = Field(default=None, min_length=1, max_length=16_000, description="The query.")
    like: int | Annotated[str, Field(max_length=200)] | None = Field(
        default=None, description="Instead of a vector: the id of a point, or the key of a row, that has one."
    )
    using: str = Field(default="", max_length=200, description="The named vector, or the column of vectors.")
    filter: dict[str, Any] = Field(default_factory=dict, description="Qdrant: a filter in its JSON form.")
    key: str = Field(default="id", min_length=1, max_length=200, description="PostgreSQL: the column that names a row.")
    show: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(
        default_factory=list, max_length=50, description="Columns or payload keys to show."
    )
    limit: int = Field(default=10, ge=1, le=200, description="How many results.")
    ef: int | None = Field(default=None, ge=1, le=1000, description="How far an HNSW index looks (ef_search, hnsw_ef).")
    exact: bool = Field(default=False, description="Read everything instead of the index.")
    metric: Literal["", "cosine", "l2", "ip", "l1"] = Field(
        default="", description="PostgreSQL: the distance; by default that of the column's index, else cosine."
    )
    branch: BranchName
    store: Store

    @model_validator(mode="after")
    def _one_query(self) -> SearchArguments:
        if (self.vector is None) == (self.like is None):
            raise ValueError("give one of vector and like")
        return self


class SearchResult(Data):
    """The hits, the nearest first."""

    ids: list[int | str]
    scores: list[float]
    columns: list[str]
    rows: list[list[Any]] = Field(description="Per hit what was asked to be shown.")
    truncated: bool = Field(description="Whether rows were left out because the result was too large.")
    seconds: float


def _search(session: Session, given: SearchArguments, tell: Tell) -> Done:
    branch = session.branch(given.branch)
    endpoint = session.endpoint(branch, given.store)
    asked = Nearest(
        place=given.place, vector=given.vector, like=given.like, using=given.using, key=given.key, show=given.show,
        filter=given.filter, limit=given.limit, ef=given.ef, exact=given.exact, metric=given.metric,
    )  # fmt: skip
    if endpoint.kind == "postgres" and given.filter:
        raise UsageError("a filter is Qdrant's: in PostgreSQL a search with a condition is SQL", hint="the tool `sql`")
    with session.files(endpoint, branch.name):
        answer = _asking(endpoint).nearest(endpoint, asked, _bounds(session))
    session.stack.touch(branch.name)
    _require(answer)
    found = answer.result
    result = SearchResult(
        ids=list(found.ids),
        scores=list(found.scores),
        columns=list(found.columns),
        rows=[list(row) for row in found.rows],
        truncated=False,
        seconds=found.seconds,
    )
    return Done(result, f"{len(found.ids)} hits in {found.seconds:.3f} s")


VECTOR_SEARCH = Tool(
    name="vector_search",
    title="Search by a vector",
    description="Find what is nearest to a vector in a branch's Qdrant collection or in a PostgreSQL column of "
    "pgvector: with the index as production has it, with another `ef`, or exactly.",
    arguments=SearchArguments,
    result=SearchResult,
    run=_search,
    read_only=True,
    idempotent=True,
)


def _bounds(session: Session) -> Bounds:
    limits = session.limits
    return Bounds(seconds=limits.seconds, rows=limits.rows, bytes=limits.bytes * _ROOM, write=session.powers.writes)


def _asking(endpoint: Endpoint) -> Asking:
    asking = registry.asking(endpoint.kind)
    if asking is None:
        raise UsageError(f"stores of the kind {endpoint.kind} cannot be asked")
    return asking


def _require(answer: Answer) -> None:
    if answer.result.error is not None:
        raise UsageError(f"the store answers with an error: {answer.result.error}", hint="change the question")
