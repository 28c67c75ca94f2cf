"""The incident bundle: the failing request's steps as production ran them, and what each gave.

A bundle is one YAML or JSON file. As recorded it is raw (`masked: null`) and belongs to the operator; the engineer
gets the bundle that was masked with the key of the image it is replayed on.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import (
    AliasChoices,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    model_validator,
)

from envclone.incidents import links
from envclone.incidents.calls import Call, Origin
from envclone.incidents.clock import Clock
from envclone.incidents.domains import require, require_path
from envclone.incidents.exchanges import Exchange
from envclone.incidents.queries import Exclude, First, Order, Prefetch, Query, Vector, keys_of, many
from envclone.models import StepResult

__all__ = [
    "COMPUTED",
    "NAME",
    "NO_FIELD",
    "NO_STEP",
    "UNKNOWN",
    "Expected",
    "HttpStep",
    "Incident",
    "SqlStep",
    "Step",
    "VectorStep",
    "twice",
    "with_role",
]

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
UNKNOWN = "(not comparable: shifted by a value that the result does not show)"
"""What a masked bundle says of a value that its pseudonym cannot be known of."""
COMPUTED = "(not comparable: computed in production, and left out of the bundle that is handed over)"
"""What a bundle for other hands says of a text that a statement computed: it can spell a name in any way."""
NO_FIELD = "(not comparable: a person is in it, and the recording does not say which field it shows)"
"""What a masked bundle says of a value whose pseudonym depends on the field that it shows."""


MOST = 20_000
"""Steps, calls and exchanges of one request."""
NO_STEP = "a bundle has at least one step, or the calls of a trace"


def _setting(value: Any) -> Any:
    """A setting's value as SET takes it: `40` and `true` may be written without quotes."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value) if isinstance(value, int | float) else value


Setting = Annotated[str, BeforeValidator(_setting)]


def twice(names: Iterable[Any]) -> list[Any]:
    """The names that occur more than once, in order."""
    seen: set[Any] = set()
    return list(dict.fromkeys(name for name in names if name in seen or seen.add(name)))  # type: ignore[func-returns-value]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Expected(_Model):
    """What production returned for a step; the same parts as `models.StepResult`."""

    columns: First[tuple[str, ...]] = Field(default=(), description="Names of the result's columns, in order.")
    origins: First[tuple[str, ...]] = Field(
        default=(), description="Per column the field it shows (`schema.table.column`), or '' when computed."
    )
    rows: First[tuple[tuple[Any, ...], ...]] = Field(default=(), description="The rows, as plain JSON values.")
    ids: First[tuple[int | str, ...]] = Field(
        default=(),
        description="Ids in order, for a vector search; for SQL the values of `key`, when no rows were recorded.",
    )
    scores: First[tuple[float, ...]] = Field(default=(), description="Scores or distances in order, one per id.")
    error: str | None = Field(default=None, description="The server's message (SQLSTATE first), when the step failed.")

    @model_validator(mode="after")
    def _fits(self) -> Expected:
        width = len(self.columns) if self.columns else len(self.rows[0]) if self.rows else 0
        for number, row in enumerate(self.rows, 1):
            if len(row) != width:
                of = f"{width} columns" if self.columns else f"the {width} of the first row"
                raise ValueError(f"row {number} has {len(row)} values for {of}")
        if self.origins and len(self.origins) != len(self.columns):
            raise ValueError(f"has {len(self.origins)} origins for {len(self.columns)} columns")
        if self.ids and self.scores and len(self.scores) != len(self.ids):
            raise ValueError(f"has {len(self.scores)} scores for {len(self.ids)} ids")
        return self

    @classmethod
    def of(cls, step: Step, result: StepResult) -> Expected:
        """What a step just returned, as an expectation; a query's ids and scores are in its rows already."""
        search = isinstance(step, VectorStep)
        return cls(
            columns=result.columns,
            origins=result.origins,
            rows=result.rows,
            ids=result.ids if search else (),
            scores=result.scores if search else (),
            error=result.error,
        )


class _Step(_Model):
    id: str = Field(pattern=f"^{NAME}$", description="The step's name, unique in the bundle.")
    store: str = Field(description="The store of the stack file that it runs on.")
    note: str = Field(default="", description="What this step is for.")
    tolerance: FiniteFloat = Field(
        default=0.0, ge=0, description="By how much a score may differ and still be equal; 0 means bit for bit."
    )
    call: str | None = Field(
        default=None, description="The id of the call that this is; the call tells its time and its parent."
    )
    parent: str | None = Field(default=None, description="The call that it was a part of; not beside `call`.")
    began: dt.datetime | None = Field(default=None, description="When it began in production; not beside `call`.")
    seconds: FiniteFloat | None = Field(
        default=None, ge=0, description="How long it took in production; not beside `call`."
    )
    expect: Expected | None = Field(default=None, description="What production returned; absent until recorded.")


class SqlStep(_Step):
    """One SQL statement, run in a read-only transaction that is rolled back."""

    kind: Literal["sql"] = "sql"
    sql: str = Field(description="The statement; placeholders are `%s`, `$1`, `?`, or `%(name)s`, `:name`, `@name`.")
    parameters: list[Any] | dict[str, Any] | None = Field(
        default=None, description="Parameters; a list of numbers can be a vector or an array."
    )
    role: str | None = Field(default=None, description="The login role that production ran it as.")
    database: str | None = Field(default=None, description="The database, when it is not the store's own.")
    settings: dict[str, Setting] = Field(
        default_factory=dict, description="Session settings (SET) in effect, such as hnsw.ef_search."
    )
    local: dict[str, Setting] = Field(
        default_factory=dict, description="Settings of the transaction (SET LOCAL), applied after `settings`."
    )
    ordered: bool | None = Field(
        default=None,
        description="Whether the order of rows counts; by default when the statement has a final ORDER BY.",
    )
    score: str | None = Field(
        default=None, description="The column that rows are ordered by: rows of equal score may change places."
    )
    key: str | None = Field(default=None, description="The column that identifies a row, for a readable comparison.")
    plan: First[tuple[str, ...]] = Field(
        default=(), description="The nodes of production's plan, from the top: `Index Scan using NAME on TABLE`."
    )
    domains: dict[str, str | dict[str, str]] = Field(
        default_factory=dict,
        description="The domain of a parameter (its name, or its position from 1) or of a setting, when it is compared "
        "with a masked column: it becomes that column's pseudonym. A JSON document has domains by path "
        "(`{$.sub: uuid}`). Other parameters are masked as free text.",
    )

    @model_validator(mode="after")
    def _domains_name_something(self) -> SqlStep:
        parameters = self.parameters or ()
        listed = {str(number): one for number, one in enumerate(parameters, 1)}
        require(self.domains, (parameters if isinstance(parameters, dict) else listed) | self.settings | self.local)
        return self


_LEFT_OUT = {
    "with_vector": "the vectors of an answer are not compared: leave with_vector out",
    "with_lookup": "what with_lookup adds to groups is not compared: leave it out, it changes no result",
    "shard_key": "a step asks all shards of a collection: shard_key cannot be replayed",
}
"""What Qdrant's requests may have and a step may not, and why."""


class VectorStep(_Step):
    """A query of a vector store: a vector's nearest, another form of Qdrant's query API, or points by their filter."""

    kind: Literal["vector"] = "vector"
    collection: str = Field(description="The collection searched.")
    vector: Vector | None = Field(
        default=None, description="The query vector: numbers, a list of vectors, or `{indices: […], values: […]}`."
    )
    query: Query | None = Field(
        default=None,
        description="Another query than a vector's nearest, in Qdrant's JSON: `fusion`, `rrf`, `nearest` with `mmr`, "
        "`recommend`, `discover`, `context`, `order_by`, `formula`.",
    )
    prefetch: Annotated[list[Prefetch], BeforeValidator(many)] = Field(
        default_factory=list, description="Queries whose results this one fuses or ranks again, in Qdrant's JSON."
    )
    order_by: str | Order | None = Field(default=None, description="The same as `query: {order_by: …}`.")
    group_by: str | None = Field(default=None, description="Results grouped by a payload key; `limit` groups.")
    group_size: int = Field(default=3, ge=1, le=1000, description="Results of each group, with `group_by`.")
    using: str = Field(default="", description="The named vector searched; empty for the default one.")
    filter: dict[str, Any] | None = Field(
        default=None, description="A filter in Qdrant's JSON form; alone it gives points by id, as a scroll does."
    )
    limit: int = Field(default=10, ge=1, le=10_000, description="How many results.")
    offset: int = Field(default=0, ge=0, description="How many results are left out first.")
    score_threshold: float | None = Field(default=None, description="Results with a worse score are left out.")
    params: dict[str, Any] = Field(
        default_factory=dict, description="Search parameters in Qdrant's JSON form: hnsw_ef, exact, quantization."
    )
    with_payload: Annotated[bool | list[str] | Exclude, BeforeValidator(keys_of)] = Field(
        default=True, description="Payload keys returned, as the result's rows; `{exclude: […]}` all but some."
    )

    @model_validator(mode="before")
    @classmethod
    def _as_the_api_has_it(cls, value: Any) -> Any:
        """`query` may be a vector or an id, as in a request to the server."""
        if not isinstance(value, dict):
            return value
        if value.get("lookup_from") is not None:
            raise ValueError("vectors that another collection gives (lookup_from) cannot be replayed: give the vectors")
        for name, why in _LEFT_OUT.items():
            if value.get(name):
                raise ValueError(why)
        value = {name: one for name, one in value.items() if name not in _LEFT_OUT}
        query = value.get("query")
        if (isinstance(query, list) or (isinstance(query, dict) and "indices" in query)) and "vector" not in value:
            return {name: one for name, one in value.items() if name != "query"} | {"vector": query}
        if isinstance(query, int | str) and not isinstance(query, bool):
            return value | {"query": {"nearest": query}}
        return value

    @model_validator(mode="after")
    def _asks_one_thing(self) -> VectorStep:
        said = [name for name in ("vector", "query", "order_by") if getattr(self, name) is not None]
        if len(said) > 1 or (not said and (self.filter is None or self.prefetch)):
            raise ValueError("a vector step has one of vector, query and order_by, or only a filter")
        if not said and (self.group_by is not None or self.score_threshold is not None):
            raise ValueError("points by their filter alone have no scores: no group_by and no score_threshold")
        if self.query is not None and self.query.formula is not None and not self.prefetch:
            raise ValueError("a formula needs the query whose results it scores, as prefetch")
        fuses = self.query is not None and (self.query.fusion is not None or self.query.rrf is not None)
        if fuses and not self.prefetch:
            raise ValueError("a fusion needs the queries that it fuses, as prefetch")
        if self.group_by is not None and (self.offset or self.order_by is not None):
            raise ValueError("groups have no offset and no order_by")
        return self

    @property
    def asked(self) -> Query | None:
        """What is asked, in one form; None for the points that a filter lets through, by id."""
        if self.query is not None:
            return self.query
        if self.order_by is not None:
            return Query(order_by=self.order_by)
        return Query(nearest=self.vector) if self.vector is not None else None

    @property
    def plain(self) -> bool:
        """Whether it is the nearest of one vector, and nothing else."""
        return self.vector is not None and not self.prefetch and self.group_by is None


class HttpStep(_Step):
    """One request to an application service, as production was asked."""

    kind: Literal["http"] = "http"
    store: str = Field(
        validation_alias=AliasChoices("service", "store"),
        serialization_alias="service",
        description="The service of the stack file that is asked.",
    )
    method: str = Field(default="GET", pattern=r"^[A-Z]{1,16}$", description="The request's method.")
    path: str = Field(pattern=r"^/[^\s#]*$", description="The path, with the query behind it.")
    headers: dict[str, str] = Field(default_factory=dict, description="Headers beside those that every client sends.")
    body: Any = Field(default=None, description="The body: an object or a list is sent as JSON, a text as it is.")
    timeout: FiniteFloat = Field(default=60.0, gt=0, description="How long an answer may take (s).")
    ignore: list[str] = Field(
        default_factory=list,
        description="JSON paths of the answer that are not compared, such as `$.took_ms` or `$.hits[*].request_id`.",
    )
    domains: dict[str, str] = Field(
        default_factory=dict,
        description="The domain of a JSON path (`$.customer.email`), in the request's body and in the answer, or of a "
        "query's parameter by its name. Everything else is masked as free text.",
    )

    @model_validator(mode="after")
    def _answers(self) -> HttpStep:
        for path in (*self.ignore, *(name for name in self.domains if name.startswith("$"))):
            require_path(path, "ignore: " if path in self.ignore else "domains: ")
        if self.expect is not None and any(len(row) not in (1, 2) for row in self.expect.rows):
            raise ValueError("expect: a row of an answer is its status, or its status and its body")
        return self


Step = Annotated[SqlStep | VectorStep | HttpStep, Field(discriminator="kind")]


class Incident(_Model):
    """The failing request of production, to be run again in a branch."""

    version: Literal[1, 2] = Field(
        default=2, description="2 is written; of 1, links between steps, calls and exchanges are not checked."
    )
    incident: str = Field(pattern=f"^{NAME}$", description="The incident's id.")
    environment: str = Field(description="The environment it happened in.")
    note: str = Field(default="", description="What was seen.")
    at: AwareDatetime | None = Field(
        default=None,
        description="When it happened, with its zone: the moment that `branch` recovers where there is a track. "
        "Without it the time of the recording.",
    )
    recorded_at: dt.datetime | None = Field(default=None, description="When the steps were run in production.")
    masked: str | None = Field(
        default=None, description="The id of the key that masked this bundle; null while it is raw."
    )
    steps: tuple[Step, ...] = Field(default=(), max_length=MOST, description="The steps, in order.")
    calls: tuple[Call, ...] = Field(
        default=(), max_length=MOST, description="What else a trace tells: kept and shown, not run again."
    )
    exchanges: tuple[Exchange, ...] = Field(
        default=(),
        max_length=MOST,
        description="What the application asked of models and tools, and the answers: its cassette.",
    )
    application: dict[str, str] = Field(
        default_factory=dict,
        description="What answered: `image` (its digest), `commit`, `version`, and the versions of its `chunker`, "
        "`embedder`, `reranker`, `tokenizer`.",
    )
    clock: Clock | None = Field(default=None, description="The clock of the application, where it is known.")
    origin: Origin | None = Field(default=None, description="The trace that the calls come from.")
    signature: str | None = Field(
        default=None,
        pattern=r"^[0-9a-f]{128}$",
        description="Of the pool whose envclone recorded or masked this bundle, over everything else in it.",
    )

    @model_validator(mode="before")
    @classmethod
    def _few(cls, value: Any) -> Any:
        """Before each of millions is looked at."""
        for name in ("steps", "calls", "exchanges"):
            held = value.get(name) if isinstance(value, dict) else None
            if isinstance(held, list | tuple) and len(held) > MOST:
                raise ValueError(f"{name}: more than {MOST:,}")
        return value

    @model_validator(mode="after")
    def _steps_differ(self) -> Incident:
        if not self.steps and not self.calls:
            raise ValueError(NO_STEP)
        if same := twice(step.id for step in self.steps):
            raise ValueError(f"two steps have the id '{same[0]}'")
        if same := twice(one.id for one in self.exchanges):
            raise ValueError(f"two exchanges have the id '{same[0]}'")
        if self.version != 1 and (said := next(links.wrong(self.steps, self.calls, self.exchanges), None)):
            raise ValueError(said)
        return self


def with_role(incident: Incident, role: str) -> Incident:
    """The bundle whose SQL steps all name a role: this one, where they named none."""
    steps = tuple(
        step.model_copy(update={"role": role}) if isinstance(step, SqlStep) and step.role is None else step
        for step in incident.steps
    )
    return incident.model_copy(update={"steps": steps})
