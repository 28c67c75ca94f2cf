"""One call of a tool: validated, counted, run, cleaned, written down. Nothing here knows the protocol."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from envclone.errors import EnvcloneError, UsageError
from envclone.mcp.limits import Meter, require_small
from envclone.mcp.outgoing import fenced
from envclone.mcp.session import Session
from envclone.mcp.tools.ask import SQL, VECTOR_SEARCH
from envclone.mcp.tools.base import Data, Tell, Tool
from envclone.mcp.tools.branches import BRANCH, REMOVE, RESET
from envclone.mcp.tools.diagnosis import DIAGNOSE
from envclone.mcp.tools.look import INCIDENT_SHOW, STATUS
from envclone.mcp.tools.rerun import REPLAY
from envclone.mcp.tools.story import REPORT

__all__ = ["TOOLS", "Desk", "Outcome", "tools_of"]

TOOLS: Mapping[str, Tool] = {
    one.name: one
    for one in (STATUS, BRANCH, INCIDENT_SHOW, REPLAY, DIAGNOSE, REPORT, SQL, VECTOR_SEARCH, RESET, REMOVE)
}
"""All tools, in the order of a session."""


def tools_of(session: Session) -> list[Tool]:
    """The tools as a session has them: one that may write is not called reading."""
    if not session.powers.writes:
        return list(TOOLS.values())
    return [
        replace(one, read_only=False, destructive=True, idempotent=False) if one is SQL else one
        for one in TOOLS.values()
    ]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call gave: a structured result and a text, or a line that says why not."""

    text: str
    structured: dict[str, Any] | None = None

    @property
    def failed(self) -> bool:
        """Whether it is an error."""
        return self.structured is None


class Desk:
    """Takes the calls of one session, from many threads."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._meter = Meter(session.limits.calls_per_minute)

    def call(self, name: str, arguments: Mapping[str, Any] | None, tell: Tell = lambda text: None) -> Outcome:
        """Call a tool. Whatever happens comes back as an outcome, and stands in the audit log."""
        began, given = time.monotonic(), dict(arguments or {})
        outcome, word, branch = self._called(name, given, tell)
        try:
            self._log(name, given, branch, word, time.monotonic() - began)
        except (EnvcloneError, OSError):
            return Outcome("the call cannot be written into the audit log, so its result is withheld")
        return outcome

    def _called(self, name: str, given: Mapping[str, Any], tell: Tell) -> tuple[Outcome, str, str]:
        """The outcome, how it ended in a word, and the branch that was named."""
        branch = ""
        try:
            self._meter.count()
            tool = TOOLS.get(name)
            if tool is None:
                raise UsageError("there is no such tool", hint=f"tools: {', '.join(TOOLS)}")
            require_small(given)
            parsed = _parsed(tool, given)
            branch = getattr(parsed, "branch", None) or ""
            done = tool.run(self._session, parsed, tell)
            structured = self._session.outgoing.result(done.result.model_dump(mode="python"))
            said = self._session.outgoing.text(done.said)
            return Outcome(_text(said, structured, data=isinstance(done.result, Data)), structured), "done", branch
        except Exception as exc:  # noqa: BLE001 - the boundary: every error becomes a line
            return Outcome(self._session.outgoing.error(exc)), type(exc).__name__, branch

    def _log(self, name: str, given: Mapping[str, Any], branch: str, outcome: str, seconds: float) -> None:
        digest = hashlib.blake2b(json.dumps(given, sort_keys=True, default=str).encode(), digest_size=8).hexdigest()
        tool = name if name in TOOLS else "?"
        details = {"tool": tool, "arguments": digest, "outcome": outcome, "seconds": round(seconds, 3)}
        self._session.log({**details, **({"branch": branch} if branch in self._session.names else {})})


def _text(said: str, structured: dict[str, Any], *, data: bool) -> str:
    """A line, and the result behind it for a client that reads texts alone; data stands between marks."""
    if not data:
        return f"{said}\n{json.dumps(structured, ensure_ascii=False, separators=(',', ':'))}"
    plain = {key: value for key, value in structured.items() if key != "untrusted"}
    return f"{said}. {structured['untrusted']}\n{fenced(plain)}"


def _parsed(tool: Tool, given: Mapping[str, Any]) -> Any:
    """The arguments as the tool takes them. Raises UsageError, which names the argument and quotes no value."""
    try:
        return tool.arguments.model_validate(given)
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False, include_context=False)[0]
        known = set(tool.arguments.model_fields)
        place = ".".join(str(one) for one in first["loc"] if isinstance(one, int) or str(one) in known)
        what = str(first["msg"]).removeprefix("Value error, ")
        raise UsageError(
            f"{place or 'the arguments'}: {what[:1].lower()}{what[1:]}", hint=f"arguments: {', '.join(sorted(known))}"
        ) from None
    except RecursionError:
        raise UsageError("the arguments are nested too deep") from None
