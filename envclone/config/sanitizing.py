"""The schema of what becomes of the people in the data: domains, rules, exceptions, how exactly indexes must answer."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, StringConstraints, model_validator
from pydantic.json_schema import WithJsonSchema

from envclone.config import checks
from envclone.config.base import DomainKind, Model, Name, NobodyKind, Preset, Text

__all__ = ["AcceptConfig", "AcceptedIndex", "DomainConfig", "FidelityConfig", "Label", "RuleValue", "SanitizeConfig"]

Label = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
_Kind = Annotated[
    DomainKind,
    BeforeValidator(lambda value: "null" if value is None else value),
    WithJsonSchema({"enum": [*get_args(DomainKind), None]}),
]


def _rule(value: Any) -> str | dict[str, str]:
    """A rule as it is kept: a domain's name, a domain's name per JSON path, or a domain with its options."""
    checks.require(checks.rule_shape(value))
    if value is None:
        return "null"
    if isinstance(value, dict):
        return {path: "null" if domain is None else domain for path, domain in value.items()}
    return str(value)


_DOMAIN_SCHEMA: dict[str, Any] = {"anyOf": [{"type": "string"}, {"type": "null"}]}

RuleValue = Annotated[
    str | dict[str, str],
    BeforeValidator(_rule),
    WithJsonSchema(
        {
            "anyOf": [
                *_DOMAIN_SCHEMA["anyOf"],
                {
                    "type": "object",
                    "properties": {"domain": {"type": "string"}, "by": {"type": "string"}},
                    "required": ["domain"],
                    "additionalProperties": False,
                },
                {
                    "type": "object",
                    "properties": {"vectors": {"const": "keep"}, "words": {"const": "keep"}},
                    "patternProperties": {r"^\$": _DOMAIN_SCHEMA},
                    "additionalProperties": False,
                    "minProperties": 1,
                },
            ]
        }
    ),
]
"""A domain's name, or a mapping of JSON path to domain's name."""


class DomainConfig(Model):
    """A class of identity: the same value in the same domain has the same pseudonym everywhere."""

    kind: _Kind = Field(
        description="What the values are, such as `person` (names), `email`, `text` (free text: every known identity "
        "and every pattern in it), `date` (shifted), `redact` (overwritten), `null` (removed), `keep` (unchanged): "
        "all kinds and what each promises are in [sanitization](sanitization.md).",
        examples=["email"],
    )
    value: Text | None = Field(
        default=None, description="What every value becomes, for the kind `constant`.", examples=["hidden"]
    )
    unique: bool = Field(
        default=False,
        description="Whether different values must have different pseudonyms, as a unique constraint needs.",
        examples=[True],
    )
    consistency: Literal["name", "person"] = Field(
        default="name",
        description="What a name's pseudonym is a function of, for the kind `person`: the name (`Christopher` is one "
        "other name everywhere), or the whole person (each Christopher has another, which frequencies do not tell). "
        "It holds for every name in the stack file; [sanitization](sanitization.md) says what it costs.",
        examples=["person"],
    )


class AcceptedIndex(Model):
    """A vector index that is published though it was not asked, or though it answers otherwise than production's."""

    index: Text = Field(
        description="The store's name and the index's as the refusal spells it.",
        examples=["main.public.photos_phash"],
    )
    reason: Text = Field(
        description="Why that is right; it stands in the attestation.", examples=["its method is not on this machine"]
    )


class FidelityConfig(Model):
    """How exactly a vector index must answer as production's does."""

    minimum: float = Field(
        default=1.0,
        ge=0.0,
        le=1.0,
        description="The least fraction of sampled nearest-neighbour questions that each vector index must answer with "
        "production's ids, order and scores; below it no image is made. What was measured is in the attestation.",
        examples=[0.98],
    )
    accept: list[AcceptedIndex] = Field(
        default_factory=list,
        description="Vector indexes that need not be proven, each by name and with a reason. Without an entry here an "
        "index that could not be asked keeps the image from being made, as one below the minimum does.",
        examples=[[{"index": "main.public.photos_phash", "reason": "its method is not on this machine"}]],
    )


class AcceptConfig(Model):
    """A written exception: identities of one kind that stay in one field."""

    field: Annotated[str, StringConstraints(min_length=1)] = Field(
        description="The field as a refusal names it, with its store.", examples=["main.public.orders.ship_to"]
    )
    kind: _Kind = Field(description="The kind of identity that may stay there.", examples=["person"])
    reason: Annotated[str, StringConstraints(min_length=10)] = Field(
        description="Why it may stay, for the reader of the attestation.",
        examples=["names of ships, which are also somebody's"],
    )


class SanitizeConfig(Model):
    """What becomes of the people in the data."""

    undeclared: Literal["fail"] = Field(
        default="fail",
        description="What happens to a field that no rule names: no image is made. There is no other choice.",
        examples=["fail"],
    )
    domains: dict[Label, DomainConfig] = Field(
        default_factory=dict,
        description="The domains, by name. Each kind is a domain of its own name without being declared.",
        examples=[{"customer-email": {"kind": "email", "unique": True}}],
    )
    rules: dict[
        Name, Annotated[dict[str, RuleValue], BeforeValidator(lambda value: {} if value is None else value)]
    ] = Field(
        default_factory=dict,
        description="Per store: an address (`schema.table.column`, `collection.path`; `*` matches any name) and "
        "its domain; for JSON, a mapping of JSON path to domain; for vectors and words of a text search that are kept, "
        "`{vectors: keep}` and `{words: keep}`.",
        examples=[{"main": {"public.customers.email": "email", "public.tickets.embedding": {"vectors": "keep"}}}],
    )
    references: list[str] = Field(
        default_factory=list,
        description="References that no foreign key declares, from one store's field to another's: what refers gets "
        "the rule of what it refers to. `[]` stands for the elements of a list; a reference that depends on another "
        "column ends in `where subject_type = customer`. `<->` also counts what nothing refers to, such as a row "
        "without its point.",
        examples=[["kb.articles.ticket_id <-> main.public.tickets.id"]],
    )
    presets: list[Preset] = Field(
        default_factory=list,
        description="Rules for tables that many applications have, found by the shape of a table: what LangGraph, "
        "LangChain, LlamaIndex, mem0, Open WebUI, Langfuse and LiteLLM store, users and sessions of Django, Rails and "
        "Laravel, payments. A rule of `rules` for the same field wins; the attestation says which rules are whose.",
        examples=[["langgraph", "django"]],
    )
    strangers: Literal["tagger", "introduced"] = Field(
        default="tagger",
        description="Which persons whom no field names are found in free text: `tagger`, those that a small model of "
        "names and their surroundings sees; or `introduced`, only those behind a title or an introduction, and two "
        "names of the dictionary side by side.",
        examples=["introduced"],
    )
    presidio: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][\w.-]*$")] | None = Field(
        default=None,
        description="An extra net over free text: `patterns` (Presidio's recognizers that need no language model), or "
        "the name of an installed spaCy model. Finds persons whom no field names, and takes a hundred times as long.",
        examples=["en_core_web_lg"],
    )
    accept: list[AcceptConfig] = Field(
        default_factory=list,
        description="Exceptions: what would be refused and is let through, signed, and shown on top of the "
        "attestation. Prefer another rule.",
        examples=[[{"field": "main.public.orders.ship_to", "kind": "person", "reason": "names of ships"}]],
    )
    method: Literal["in-place", "sql"] = Field(
        default="in-place",
        description="How PostgreSQL's values are written: `in-place` in the stopped clone's files, every row at its "
        "address, so that vector indexes stay as they are; or `sql`, by UPDATE, which changes what they find.",
        examples=["in-place"],
    )
    nobody: dict[NobodyKind, list[Annotated[str, StringConstraints(pattern=r"\S", max_length=64)]]] = Field(
        default_factory=dict,
        description="Values that are nobody's, by kind, beside those of the shipped list (`N/A`, `unknown`, "
        "`noreply@…`, 0000000000, the UUIDs of sentinels): they stay as they are, are not searched "
        "for, and are counted in the attestation. Case and blanks do not count; in an e-mail address `*` stands for "
        "any letters.",
        examples=[{"person": ["Walk-in Customer"], "email": ["*@till.internal"]}],
    )
    fidelity: FidelityConfig = Field(
        default_factory=FidelityConfig, description="How exactly vector indexes must answer as production's do."
    )
    hooks: list[str] = Field(
        default_factory=list,
        description="Python functions' files, SQL files or executables to run on the clone, in this order, "
        "relative to the stack file.",
        examples=[["hooks/support.py", "hooks/after.sql"]],
    )

    @model_validator(mode="after")
    def _meaning(self) -> SanitizeConfig:
        checks.require(checks.sanitize(self.model_dump()))
        return self
