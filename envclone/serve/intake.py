"""Incidents that come over HTTP: read as bundles, kept from everybody until an operator lets them in, then masked.

Who sees a bundle before and after it is masked learns the pseudonyms of what is in it, and so finds in a branch whom
she knows by name. So what an engineer sends is held: it is in no list and cannot be replayed before an operator
released it.
Nothing of what was sent comes back.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from envclone.errors import BusyError, EnvcloneError, UnsafeError, UsageError
from envclone.incidents import files as bundles
from envclone.pool import files
from envclone.serve.roles import Principal
from envclone.serve.state import State

if TYPE_CHECKING:
    from envclone.api import Stack
    from envclone.incidents.bundle import Incident

__all__ = ["Held", "drop", "held", "hold", "let_in", "read", "release"]

_MOST = 200
"""Bundles that may be held at once."""
_EACH = 20
"""Of these, of one person."""


@dataclass(frozen=True, slots=True)
class Held:
    """A bundle that waits for an operator."""

    incident: str
    environment: str
    by: str
    at: str
    steps: int


def read(stack: Stack, state: State, ident: str, environment: str, content: str, *, bundle: bool) -> Incident:
    """What was sent as a bundle: one of envclone's, or a trace in one of the forms that `incident import` reads.

    Raises UsageError, ConfigError; neither quotes a value.
    """
    stack.project.environment(environment)
    place = state.folder("incoming") / f"{secrets.token_hex(8)}.{'yaml' if bundle else 'json'}"
    try:
        if bundle:
            try:
                found = bundles.parsed(content, place)
            except EnvcloneError as exc:
                raise UsageError("that is no bundle", hint="its JSON Schema: envclone incident schema") from exc
            if found.environment != environment or found.incident != ident:
                raise UsageError("the bundle is of another incident or environment", hint="send it under its own names")
            return found
        from envclone.private import write_private

        write_private(place, content)
        return _of_trace(stack, ident, environment, place)
    finally:
        place.unlink(missing_ok=True)


def _of_trace(stack: Stack, ident: str, environment: str, place: Path) -> Incident:
    from envclone.incidents.bundle import Incident
    from envclone.incidents.traces.about import application_of, clock_of
    from envclone.incidents.traces.played import exchanges_of
    from envclone.incidents.traces.read import calls
    from envclone.incidents.traces.steps import Stores, steps_of

    try:
        found, origin = calls(place)
    except EnvcloneError as exc:
        raise UsageError("that cannot be read as a trace", hint="docs/traces.md lists the forms") from exc
    kinds = {name: one.kind for name, one in stack.project.environment(environment).stores.items()}
    stores = Stores(postgres=_only(kinds, "postgres"), qdrant=_only(kinds, "qdrant"))
    at = min((call.began for call in found if call.began is not None), default=None)
    steps = tuple(steps_of(found, stores))
    try:
        return Incident(
            incident=ident, environment=environment, at=at, calls=tuple(found), steps=steps,
            exchanges=exchanges_of(found, steps), origin=origin, application=application_of(found, origin),
            clock=clock_of(found, origin),
        )  # fmt: skip
    except ValidationError:
        raise UsageError("that trace makes no bundle", hint="on the host: envclone incident import") from None


def _only(kinds: Mapping[str, str], kind: str) -> str | None:
    found = [name for name, one in kinds.items() if one == kind]
    return found[0] if len(found) == 1 else None


def hold(stack: Stack, state: State, incident: Incident, who: Principal) -> None:
    """Keep a bundle until an operator lets it in. Raises BusyError for an id that is taken."""
    bundles.free(stack.project.loaded.stack.incidents, incident.incident)
    folder = state.folder("held")
    place = folder / f"{incident.incident}.json"
    with state.pool.lock(f"serve-held.{state.project}", timeout=10, what="the bundles that wait"):
        if place.exists():
            raise BusyError("a bundle of that id waits for an operator already", hint="choose another id")
        if sum(1 for _ in folder.glob("*.json")) >= _MOST:
            raise BusyError("too many bundles wait for an operator", hint="ask one: envclone serve held")
        if _of(state, who.name) >= _EACH:
            raise BusyError("too many bundles of yours wait for an operator", hint="ask one: envclone serve held")
        bundles.save(incident, place)
        about = {"by": who.name, "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds")}
        files.write_json(folder / f"{incident.incident}.about", about)


def _of(state: State, name: str) -> int:
    """How many bundles of somebody's wait; none of them is read."""
    count = 0
    for about in state.folder("held").glob("*.about"):
        with contextlib.suppress(EnvcloneError, KeyError, TypeError):
            count += files.read_json(about)["by"] == name
    return count


def held(state: State) -> Sequence[Held]:
    """The bundles that wait."""
    found = []
    for place in sorted(state.folder("held").glob("*.json")):
        try:
            about: Any = files.read_json(place.with_suffix(".about"))
            one = bundles.load(place)
            found.append(Held(one.incident, one.environment, str(about["by"]), str(about["at"]), len(one.steps)))
        except (EnvcloneError, KeyError, TypeError):
            found.append(Held(place.stem, "?", "?", "?", 0))
    return found


def drop(state: State, ident: str) -> bool:
    """Throw away a bundle that waits; False when there is none."""
    place = state.folder("held") / f"{ident}.json"
    with state.pool.lock(f"serve-held.{state.project}", timeout=10, what="the bundles that wait"):
        there = place.exists()
        place.unlink(missing_ok=True)
        place.with_suffix(".about").unlink(missing_ok=True)
    return there


def release(stack: Stack, state: State, ident: str, *, allow_chosen: bool = False) -> int:
    """Let a bundle in that waits; returns how many steps it has. Raises UnsafeError as `let_in` does."""
    place = state.folder("held") / f"{ident}.json"
    with state.pool.lock(f"serve-held.{state.project}", timeout=10, what="the bundles that wait"):
        if not place.exists():
            raise UsageError("no bundle of that id waits", hint="envclone serve held")
        found = bundles.load(place)
        let_in(stack, found, allow_chosen=allow_chosen)
        place.unlink()
        place.with_suffix(".about").unlink(missing_ok=True)
    return len(found.steps)


def let_in(stack: Stack, incident: Incident, *, allow_chosen: bool = False) -> None:
    """Put a bundle among the incidents, masked when there is an image and production has answered its steps.

    Raises UnsafeError when the bundle itself chooses what becomes a pseudonym, unless `allow_chosen`; it is not let in
    then.
    """
    from envclone.lifecycle import images

    place = bundles.free(stack.project.loaded.stack.incidents, incident.incident)
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    bundles.save(incident, place)
    answered = all(step.expect is not None for step in incident.steps)
    if incident.masked is None and answered and images.find(stack.project, incident.environment) is not None:
        try:
            stack.mask(incident.incident, allow_chosen=allow_chosen)
        except UnsafeError:
            place.unlink(missing_ok=True)
            raise
    stack.project.log("import", {"incident": incident.incident, "environment": incident.environment})
