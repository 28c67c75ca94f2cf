"""What an application asked of models and tools over HTTP, and what it was answered: the cassette of an incident.

An exchange is played to the application when it is replayed whole: what the branch's stores do not answer, it answers.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

__all__ = ["Chunk", "Exchange"]

Encoding = Literal["json", "text", "base64"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Chunk(_Model):
    """A part of an answer that was streamed."""

    after: FiniteFloat = Field(default=0.0, ge=0, description="How long after the one before it came (s).")
    data: str = Field(description="Its text, as it came: of server-sent events the lines with their `data:`.")


class Exchange(_Model):
    """One request of the application to something that is no store of the branch, and its answer."""

    id: str = Field(description="Its name, unique in the bundle.")
    kind: Literal["llm", "embedding", "rerank", "tool", "http"] = Field(default="http", description="What was asked.")
    call: str | None = Field(default=None, description="The id of the call of the trace that this is.")
    method: str = Field(default="POST", pattern=r"^[A-Z]{1,16}$", description="The request's method.")
    url: str = Field(pattern=r"^https?://[^\s#]+$", description="Where it went: the whole address, with its query.")
    headers: dict[str, str] = Field(
        default_factory=dict, description="The request's headers, without what lets somebody in."
    )
    encoding: Encoding = Field(default="json", description="How `body` is written.")
    body: Any = Field(default=None, description="What was sent.")
    status: int = Field(default=200, ge=100, le=599, description="The status of the answer.")
    answer_headers: dict[str, str] = Field(default_factory=dict, description="The answer's headers.")
    answer_encoding: Encoding = Field(default="json", description="How `answer` is written.")
    answer: Any = Field(default=None, description="What came back, when it came whole.")
    chunks: tuple[Chunk, ...] = Field(default=(), description="What came back, when it was streamed.")
    error: str | None = Field(default=None, description="What failed instead of an answer: a timeout, a reset.")
    began: dt.datetime | None = Field(default=None, description="When it began.")
    seconds: FiniteFloat | None = Field(default=None, ge=0, description="How long it took.")
