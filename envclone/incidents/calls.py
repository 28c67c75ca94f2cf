"""What an application did on the way to its answer, as a trace tells it: model, embedding, retrieval and tool calls.

A call is kept, masked and shown; it is not run again. What of it can be (a statement, a search) is a step.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["KINDS", "Call", "Kind", "Origin"]

Kind = Literal[
    "request", "llm", "embedding", "retrieval", "rerank", "tool", "agent", "chain", "sql", "vector", "http", "other"
]
KINDS: tuple[str, ...] = ("request", "llm", "embedding", "retrieval", "rerank", "tool", "agent", "chain", "sql",
                          "vector", "http", "other")  # fmt: skip


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Call(_Model):
    """One call of a trace. What the trace says beside the named fields is in `other`: nothing of it is dropped."""

    id: str = Field(description="The call's id, as the trace has it.")
    kind: Kind = Field(description="What was called.")
    name: str = Field(default="", description="Its name.")
    parent: str | None = Field(default=None, description="The id of the call that it is a part of.")
    began: dt.datetime | None = Field(default=None, description="When it began.")
    seconds: float | None = Field(default=None, description="How long it took.")
    error: str | None = Field(default=None, description="What it failed with.")
    model: str | None = Field(default=None, description="The model that answered, or that was asked for.")
    revision: str | None = Field(
        default=None,
        description="The version of the model or tool, where the trace has it apart: a fingerprint, a revision.",
    )
    provider: str | None = Field(default=None, description="Whose model it is.")
    settings: dict[str, Any] = Field(default_factory=dict, description="Sampling and other settings of the call.")
    prompt: dict[str, Any] = Field(default_factory=dict, description="The prompt's template, variables and version.")
    system: Any = Field(default=None, description="The system prompt, where the trace has it apart.")
    tools: Any = Field(default=None, description="The tools that the model could choose from.")
    input: Any = Field(default=None, description="What went in: messages, arguments, a query.")
    output: Any = Field(default=None, description="What came out.")
    documents: list[Any] = Field(default_factory=list, description="What was retrieved, in order.")
    vectors: list[Any] = Field(default_factory=list, description="Query vectors or embeddings.")
    statement: str | None = Field(default=None, description="The statement or query of a database.")
    usage: dict[str, Any] = Field(default_factory=dict, description="Tokens that were counted.")
    finish: list[str] = Field(default_factory=list, description="Why the model stopped.")
    conversation: str | None = Field(default=None, description="The conversation, session or thread.")
    other: dict[str, Any] = Field(default_factory=dict, description="What else the trace says of it.")


class Origin(_Model):
    """Where the calls come from: the dialect of the trace, and what it says of all of them."""

    dialect: str = Field(description="The format that the trace was in.")
    about: dict[str, Any] = Field(default_factory=dict, description="Resources, scopes and other parts of the trace.")
