"""The incident bundle: the failing request's steps as production ran them, and what each gave.

A bundle is one YAML or JSON file. As recorded it is raw (`masked: null`) and belongs to the operator; the engineer
gets the bundle that was masked with the key of the image it is replayed on.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from envclone.models import StepResult

__all__ = ["Expected", "Incident", "SqlStep", "Step", "VectorStep"]

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Expected(_Model):
    """What production returned for a step; the same parts as `models.StepResult`."""

    columns: tuple[str, ...] = Field((), description="Names of the result's columns, in order.")
    origins: tuple[str, ...] = Field(
        (), description="Per column the field it shows (`schema.table.column`), or '' when computed."
    )
    rows: tuple[tuple[Any, ...], ...] = Field((), description="The rows, as plain JSON values.")
    ids: tuple[int | str, ...] = Field((), description="Ids in order, for a vector search.")
    scores: tuple[float, ...] = Field((), description="Scores or distances in order, for a vector search.")
    error: str | None = Field(None, description="The server's message (SQLSTATE first), when the step failed.")

    @classmethod
    def of(cls, result: StepResult) -> Expected:
        """What a step just returned, as an expectation."""
        return cls(
            columns=result.columns,
            origins=result.origins,
            rows=result.rows,
            ids=result.ids,
            scores=result.scores,
            error=result.error,
        )


class _Step(_Model):
    id: str = Field(pattern=f"^{NAME}$", description="The step's name, unique in the bundle.")
    store: str = Field(description="The store of the stack file that it runs on.")
    note: str = Field("", description="What this step is for.")
    expect: Expected | None = Field(None, description="What production returned; absent until recorded.")


class SqlStep(_Step):
    """One SQL statement, run in a read-only transaction that is rolled back."""

    kind: Literal["sql"] = "sql"
    sql: str = Field(description="The statement, with %s or %(name)s placeholders when there are parameters.")
    parameters: list[Any] | dict[str, Any] | None = Field(
        None, description="Parameters; a list of numbers can be a vector or an array."
    )
    role: str | None = Field(None, description="The login role that production ran it as.")
    database: str | None = Field(None, description="The database, when it is not the store's own.")
    settings: dict[str, str] = Field(
        default_factory=dict, description="Session settings (SET) in effect, such as hnsw.ef_search."
    )
    local: dict[str, str] = Field(
        default_factory=dict, description="Settings of the transaction (SET LOCAL), applied after `settings`."
    )
    ordered: bool | None = Field(
        None, description="Whether the order of rows counts; by default when the statement has a final ORDER BY."
    )
    score: str | None = Field(
        None, description="The column that rows are ordered by: rows of equal score may change places."
    )
    key: str | None = Field(None, description="The column that identifies a row, for a readable comparison.")


class VectorStep(_Step):
    """One nearest-neighbour search in a vector store."""

    kind: Literal["vector"] = "vector"
    collection: str = Field(description="The collection searched.")
    vector: list[float] = Field(description="The query vector.")
    using: str = Field("", description="The named vector searched; empty for the default one.")
    filter: dict[str, Any] | None = Field(None, description="A filter in Qdrant's JSON form.")
    limit: int = Field(10, ge=1, le=10_000, description="How many results.")
    offset: int = Field(0, ge=0, description="How many results are left out first.")
    score_threshold: float | None = Field(None, description="Results with a worse score are left out.")
    params: dict[str, Any] = Field(
        default_factory=dict, description="Search parameters in Qdrant's JSON form: hnsw_ef, exact, quantization."
    )
    with_payload: bool | list[str] = Field(True, description="Payload keys returned, as the result's rows.")


Step = Annotated[SqlStep | VectorStep, Field(discriminator="kind")]


class Incident(_Model):
    """The failing request of production, to be run again in a branch."""

    version: Literal[1] = 1
    incident: str = Field(pattern=f"^{NAME}$", description="The incident's id.")
    environment: str = Field(description="The environment it happened in.")
    note: str = Field("", description="What was seen.")
    recorded_at: dt.datetime | None = Field(None, description="When the steps were run in production.")
    masked: str | None = Field(None, description="The id of the key that masked this bundle; null while it is raw.")
    steps: tuple[Step, ...] = Field(min_length=1, description="The steps, in order.")
