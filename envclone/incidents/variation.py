"""A replay that differs from production in what is said: later steps only, other settings, another model or prompt."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from envclone.errors import UsageError
from envclone.incidents.bundle import HttpStep, Incident, SqlStep, Step, VectorStep

__all__ = ["AS_IT_WAS", "Variation", "applied"]

_SHORT = {"ef_search": "hnsw.ef_search", "probes": "ivfflat.probes"}
"""What is often set, by the name that people say."""
_ON_THE_WAY = ("model", "temperature", "prompt")
_SETTING = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?")
_WHO = ("role", "session_authorization")
_HINT = (
    "it takes ef_search=N, probes=N, exact=true, a setting of the server (work_mem=1MB), model=NAME, temperature=N, "
    "prompt=FILE, and env.NAME=VALUE for a service's variable"
)


@dataclass(frozen=True, slots=True)
class Variation:
    """What of a replay is other than in production: the first step (`begin`), and values by name."""

    begin: str | None = None
    changes: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises UsageError for a name or value that cannot be set."""
        for name, value in self.changes.items():
            if name in _ON_THE_WAY or name == "exact" or re.fullmatch(r"env\.[A-Za-z_][A-Za-z0-9_]*", name):
                if (name == "temperature" and not _number(value)) or (
                    name == "exact" and value not in ("true", "false")
                ):
                    raise UsageError(f"{name}={value} cannot be set", hint=_HINT)
            elif not _SETTING.fullmatch(name) or name in _WHO or "\0" in value:
                raise UsageError(f"'{name}' cannot be set for a replay", hint=_HINT)
            elif name in _SHORT and not re.fullmatch(r"[0-9]{1,6}", value):
                raise UsageError(f"{name}={value} cannot be set: it is a whole number", hint=_HINT)

    @property
    def on_the_way(self) -> dict[str, Any]:
        """What is put in place of what the application asks of a model."""
        found: dict[str, Any] = {name: self.changes[name] for name in _ON_THE_WAY if name in self.changes}
        if "temperature" in found:
            found["temperature"] = float(found["temperature"])
        return found

    @property
    def settings(self) -> dict[str, str]:
        """Settings of a database session, by their own names."""
        return {
            _SHORT.get(name, name): value
            for name, value in self.changes.items()
            if name not in (*_ON_THE_WAY, "exact") and not name.startswith("env.")
        }

    @property
    def environment(self) -> dict[str, str]:
        """Variables of the services: those that are named, and settings of their sessions as libpq reads them."""
        found = {name.removeprefix("env."): value for name, value in self.changes.items() if name.startswith("env.")}
        if self.settings:
            options = (f"-c {name}={_escaped(value)}" for name, value in self.settings.items())
            found["PGOPTIONS"] = " ".join((*([found["PGOPTIONS"]] if "PGOPTIONS" in found else ()), *options))
        return found

    @property
    def shown(self) -> dict[str, str]:
        """The changes for the report; a long text is cut."""
        return {name: value if len(value) <= 200 else f"{value[:199]}…" for name, value in self.changes.items()}


AS_IT_WAS = Variation()


def applied(incident: Incident, wanted: Variation) -> Incident:
    """The incident with later steps only and other settings in them. Raises UsageError when that changes nothing."""
    steps = list(incident.steps)
    if wanted.begin is not None:
        ids = [step.id for step in steps]
        if wanted.begin not in ids:
            raise UsageError(
                f"incident {incident.incident} has no step '{wanted.begin}'", hint=f"it has: {', '.join(ids)}"
            )
        steps = steps[ids.index(wanted.begin) :]
    changed = [_with(step, wanted) for step in steps]
    if wanted.on_the_way and not (incident.exchanges and any(isinstance(step, HttpStep) for step in steps)):
        name = next(iter(wanted.on_the_way))
        raise UsageError(
            f"{name} can be set when the application is replayed whole: incident {incident.incident} has no "
            "exchanges with a model, or no step that asks a service",
            hint="docs/incidents.md, 'The whole application'",
        )
    return incident.model_copy(update={"steps": tuple(changed)})


def _with(step: Step, wanted: Variation) -> Step:
    if isinstance(step, SqlStep) and wanted.settings:
        local = {name: value for name, value in step.local.items() if name not in wanted.settings}
        return step.model_copy(update={"settings": {**step.settings, **wanted.settings}, "local": local})
    if isinstance(step, VectorStep):
        params: dict[str, Any] = {}
        if "ef_search" in wanted.changes:
            params["hnsw_ef"] = int(wanted.changes["ef_search"])
        if "exact" in wanted.changes:
            params["exact"] = wanted.changes["exact"] == "true"
        return step.model_copy(update={"params": {**step.params, **params}}) if params else step
    return step


def _number(text: str) -> bool:
    return re.fullmatch(r"\d{1,3}(\.\d{1,6})?", text) is not None


def _escaped(value: str) -> str:
    """A value in PGOPTIONS, where a space parts two options."""
    return re.sub(r"([\\\s])", r"\\\1", value)
