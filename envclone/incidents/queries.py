"""The forms that a vector step can ask in: those of Qdrant's `POST /collections/NAME/points/query`, as typed values.

https://api.qdrant.tech/api-reference/search/query-points. What cannot be asked again with the same answer is refused by
its name: a random sample, a model that the server runs.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    FiniteFloat,
    Tag,
    model_validator,
)

__all__ = [
    "Context",
    "Discover",
    "Exclude",
    "First",
    "Given",
    "Mmr",
    "Order",
    "Prefetch",
    "Query",
    "Recommend",
    "Rrf",
    "Sparse",
    "Vector",
    "keys_of",
    "many",
]

_REFUSED = {
    "sample": "a random sample gives another answer each time, and cannot be compared",
    "relevance_feedback": "relevance feedback cannot be replayed yet",
    "text": "a text that the server embeds cannot be replayed: give its vector",
    "image": "an image that the server embeds cannot be replayed: give its vector",
    "object": "an object that the server embeds cannot be replayed: give its vector",
    "lookup_from": "vectors that another collection gives (lookup_from) cannot be replayed: give the vectors",
}


def _refuse(value: Any) -> Any:
    """Raise ValueError for a form that is known and cannot be replayed."""
    for name, why in _REFUSED.items():
        if isinstance(value, dict) and name in value:
            raise ValueError(why)
    return value


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _known(cls, value: Any) -> Any:
        return _refuse(value)


_Many = TypeVar("_Many")
First = Annotated[_Many, Field(fail_fast=True)]
"""A long list, of which the first thing that is wrong is said: millions of them take gigabytes to be said."""


class Sparse(_Form):
    """A sparse vector: the indices that have a value, and the values."""

    indices: First[list[int]] = Field(min_length=1, description="Indices, each once.")
    values: First[list[FiniteFloat]] = Field(description="A value per index.")

    @model_validator(mode="after")
    def _fits(self) -> Sparse:
        if len(self.indices) != len(self.values) or len(set(self.indices)) != len(self.indices):
            raise ValueError("a sparse vector has one value for each index, and each index once")
        return self


def _form(value: Any) -> str:
    """Which form of vector a value is meant to be, so that only what is wrong with that one is said."""
    if isinstance(value, dict | Sparse):
        return "(sparse)"
    if isinstance(value, list):
        return "(multi)" if value and isinstance(value[0], list) else "(dense)"
    return "(id)"


Dense = Annotated[list[FiniteFloat], Field(min_length=1, fail_fast=True)]
Multi = Annotated[list[Dense], Field(min_length=1, fail_fast=True)]
_Forms = Annotated[Dense, Tag("(dense)")] | Annotated[Multi, Tag("(multi)")] | Annotated[Sparse, Tag("(sparse)")]
_BY_FORM = Discriminator(
    _form,
    custom_error_type="vector",
    custom_error_message="must be numbers, a list of vectors, or {indices: […], values: […]}",
)
Vector = Annotated[_Forms, _BY_FORM, BeforeValidator(_refuse)]
"""Dense numbers, a list of such (a multi-vector), or a sparse vector."""
Given = Annotated[_Forms | Annotated[int | str, Tag("(id)")], _BY_FORM, BeforeValidator(_refuse)]
"""A vector, or the id of the point that has it."""


def many(value: Any) -> Any:
    """A list where the API takes one thing or a list of such."""
    return [value] if isinstance(value, dict | _Form) else value


class Exclude(_Form):
    """All payload keys but some."""

    exclude: list[str] = Field(description="Keys that are left out.")


def keys_of(value: Any) -> Any:
    """`{include: […]}` is the same as the list."""
    return value["include"] if isinstance(value, dict) and set(value) == {"include"} else value


class Mmr(_Form):
    """Maximal marginal relevance: how diverse the answer is, and among how many it is chosen."""

    diversity: FiniteFloat = Field(default=0.5, ge=0, le=1, description="0 is relevance alone, 1 diversity alone.")
    candidates_limit: int | None = Field(default=None, ge=1, description="Among how many; by default `limit`.")


class Rrf(_Form):
    """Reciprocal rank fusion with parameters."""

    k: int = Field(default=2, ge=1, description="The constant of the formula.")
    weights: list[FiniteFloat] | None = Field(default=None, description="The weight of each prefetch.")


class Recommend(_Form):
    """What is like some points or vectors, and unlike others."""

    positive: list[Given] = Field(default_factory=list, description="What it is like.")
    negative: list[Given] = Field(default_factory=list, description="What it is unlike.")
    strategy: Literal["average_vector", "best_score", "sum_scores"] = Field(
        default="average_vector", description="How the examples are put together."
    )

    @model_validator(mode="after")
    def _some(self) -> Recommend:
        if not self.positive and not (self.negative and self.strategy != "average_vector"):
            raise ValueError("a recommendation needs positive examples")
        return self


class Context(_Form):
    """A pair: nearer to the positive than to the negative."""

    positive: Given
    negative: Given


class Discover(_Form):
    """What is nearest to a target within a context."""

    target: Given
    context: Annotated[list[Context], BeforeValidator(many)] = Field(default_factory=list)


class Order(_Form):
    """An order by a payload key instead of by distance."""

    key: str
    direction: Literal["asc", "desc"] = "asc"
    start_from: int | FiniteFloat | str | None = None


_PARTS = ("mmr", "defaults")
"""Fields of a query that are no form of their own."""


class Query(_Form):
    """One form of query; the others are absent."""

    nearest: Given | None = None
    mmr: Mmr | None = Field(default=None, description="Of `nearest`.")
    fusion: Literal["rrf", "dbsf"] | None = None
    rrf: Rrf | None = None
    recommend: Recommend | None = None
    discover: Discover | None = None
    context: Annotated[list[Context] | None, BeforeValidator(many)] = None
    order_by: str | Order | None = None
    formula: Any = Field(default=None, description="An expression over the scores of the prefetch and the payload.")
    defaults: dict[str, Any] = Field(default_factory=dict, description="Of `formula`: for points without a key.")

    @model_validator(mode="after")
    def _one(self) -> Query:
        said = [name for name in type(self).model_fields if name not in _PARTS and getattr(self, name) is not None]
        if len(said) != 1:
            forms = ", ".join(name for name in type(self).model_fields if name not in (*_PARTS, "formula"))
            raise ValueError(f"a query has one form: {forms} or formula")
        if self.mmr is not None and self.nearest is None:
            raise ValueError("mmr is a part of a nearest query")
        if self.defaults and self.formula is None:
            raise ValueError("defaults are a part of a formula")
        return self


class Prefetch(_Form):
    """A query whose results another one works on."""

    query: Query | Given | None = Field(default=None, description="Without one: points by their filter.")
    using: str = ""
    filter: dict[str, Any] | None = None
    params: dict[str, Any] = Field(default_factory=dict)
    limit: int = Field(default=10, ge=1, le=100_000)
    score_threshold: FiniteFloat | None = None
    prefetch: Annotated[list[Prefetch], BeforeValidator(many)] = Field(default_factory=list)
