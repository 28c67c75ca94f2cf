"""A case: a pinned incident, the image that it is replayed on, and what its answers have to be.

Everything in it is masked, so that it can be committed beside the code that it tests.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, field_validator, model_validator

from envclone.incidents.bundle import NAME

__all__ = ["Case", "Contains", "Expectation", "Ids", "Judge", "Lacks", "Latency", "Pinned", "Regex", "Rows", "Schema",
           "Similar", "texts_of"]  # fmt: skip


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class _Expectation(_Model):
    step: str | None = Field(default=None, description="The step whose answer is meant; by default the last one.")


class Ids(_Expectation):
    """The ids of a result: some of them among the first `top`, or all of them in their order."""

    kind: Literal["ids"] = "ids"
    ids: tuple[int | str, ...] = Field(description="The ids.")
    top: int | None = Field(default=None, ge=1, description="They are among so many first; None: these and no other.")


class Rows(_Expectation):
    """The rows of a result, values compared as a replay does; in any order when the statement orders nothing."""

    kind: Literal["rows"] = "rows"
    rows: tuple[tuple[Any, ...], ...] = Field(description="The rows, as plain JSON values.")


class _OfText(_Expectation):
    at: str | None = Field(default=None, description="A JSON path into the answer, such as `$.answer`.")

    @field_validator("at")
    @classmethod
    def _is_a_path(cls, value: str | None) -> str | None:
        from envclone.incidents.domains import require_path

        if value is not None:
            require_path(value, "at: ")
        return value


class Schema(_OfText):
    """An answer is a JSON document of this schema."""

    kind: Literal["schema"] = "schema"
    json_schema: dict[str, Any] = Field(description="A JSON Schema.")


class Regex(_OfText):
    """A regular expression (RE2) is found in the answer's text."""

    kind: Literal["regex"] = "regex"
    pattern: str = Field(description="The expression.")

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        import re2

        try:
            re2.compile(value)
        except re2.error as exc:
            raise ValueError(f"is no regular expression of RE2: {exc}") from None
        return value


class Contains(_OfText):
    """The answer's text contains this."""

    kind: Literal["contains"] = "contains"
    text: str = Field(min_length=1, description="The text.")


class Lacks(_OfText):
    """The answer's text does not contain this."""

    kind: Literal["lacks"] = "lacks"
    text: str = Field(min_length=1, description="The text.")


class Latency(_Expectation):
    """A step, or without one all of them together, takes at most so long."""

    kind: Literal["latency"] = "latency"
    seconds: FiniteFloat = Field(gt=0, description="Seconds.")


class Similar(_OfText):
    """The answer means what a text means: the cosine of their embeddings is no less than `at_least`."""

    kind: Literal["similar"] = "similar"
    text: str = Field(min_length=1, description="The text.")
    program: str = Field(
        description="The program beside the stack file that reads a text and prints its vector.", examples=["embed.py"]
    )
    at_least: FiniteFloat = Field(default=0.8, ge=-1, le=1, description="The least cosine.")

    @field_validator("program")
    @classmethod
    def _is_below(cls, value: str) -> str:
        return _below(value)


class Judge(_OfText):
    """A function of a hook file says whether the answer is right."""

    kind: Literal["judge"] = "judge"
    hook: str = Field(pattern=r"^[^:]+:[A-Za-z_][A-Za-z0-9_]*$", description="`FILE:NAME`, relative to the stack file.")

    @field_validator("hook")
    @classmethod
    def _is_below(cls, value: str) -> str:
        _below(value.rpartition(":")[0])
        return value


Expectation = Annotated[
    Ids | Rows | Schema | Regex | Contains | Lacks | Latency | Similar | Judge, Field(discriminator="kind")
]


class Pinned(_Model):
    """What the case was pinned with: it is what still holds, or does not, when it is replayed."""

    at: dt.datetime = Field(description="When it was pinned.")
    image: str = Field(description="The image.")
    attestation: str = Field(description="The digest of the image's attestation.")
    key: str = Field(description="The id of the key that masked image and bundle.")
    rules: str = Field(description="The digest of the rules of sanitization.")
    state_of: dt.datetime = Field(description="The moment that the image shows.")
    engines: dict[str, dict[str, str]] = Field(
        default_factory=dict, description="Per store, the versions of its engine and of the extensions in it."
    )
    fields: dict[str, str] = Field(default_factory=dict, description="Per store, the digest of its fields.")
    envclone: str = Field(default="", description="The version that pinned it.")
    signer: str = Field(default="", description="The fingerprint of the pool's signing key.")


class Case(_Model):
    """A pinned incident."""

    version: Literal[1] = 1
    case: str = Field(pattern=f"^{NAME}$", description="The case's name: the incident's id.")
    environment: str = Field(description="The environment it happened in.")
    wants: Literal["fixed", "failing"] = Field(
        default="fixed", description="What the gate asks for: that it is fixed, or only that nothing else changed."
    )
    fixed: tuple[Expectation, ...] = Field(default=(), description="What holds when it is fixed: all of these.")
    pinned: Pinned

    @model_validator(mode="after")
    def _says_what_fixed_means(self) -> Case:
        if self.wants == "fixed" and not self.fixed:
            raise ValueError("a case that has to be fixed says what that means, in `fixed`")
        return self


def texts_of(expectations: tuple[Any, ...]) -> list[str]:
    """Every text of expectations that could name somebody, and not how the answer is looked at."""
    kept = {"kind", "step", "at", "program", "hook"}
    found: list[str] = []
    pending: list[Any] = [
        value for one in expectations for name, value in one.model_dump(mode="json").items() if name not in kept
    ]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending += [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple):
            pending += value
        elif isinstance(value, str):
            found.append(value)
    return found


def _below(path: str) -> str:
    """A path that stays in the stack file's directory, as the text says; links are judged where it is opened."""
    if path.startswith(("/", "~")) or ".." in path.split("/") or not re.fullmatch(r"[\w./ -]+", path):
        raise ValueError("a path in the stack file's directory, such as hooks/judge.py")
    return path
