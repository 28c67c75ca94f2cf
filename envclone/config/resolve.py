"""What is read only when it is used: production's credentials in a source, the variables of a service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from envclone.config import checks, variables
from envclone.config.explain import explain
from envclone.config.problems import Finding, Findings, Keys, below, did_you_mean, quoted
from envclone.config.schema import SourceConfig
from envclone.config.stack import LoadedStack, report
from envclone.errors import ConfigError

__all__ = ["PATHS", "absolute", "resolve_environment", "resolve_source", "resolve_url", "sources", "uses"]


def resolve_source(loaded: LoadedStack, environment: str, store: str) -> SourceConfig:
    """A store's source, its variables read and its path absolute.

    Raises ConfigError with every variable that is missing and why it is needed.
    """
    environments = loaded.stack.environments
    stores = _named(environments, environment, "the stack file has no environment").stores
    config = _named(stores, store, f"the environment '{environment}' has no store")
    keys: Keys = ("environments", environment, "stores", store)
    place = (*keys, "source")
    written = next((source for found, source in sources(loaded.raw) if found == place), None)
    if written is None:  # the stack was made in code
        return cast(SourceConfig, config.source)
    source, findings = _expanded(written, place, loaded.env, loaded.directory)
    if not findings:
        try:
            resolved = SourceConfig.model_validate(source)
            checks.require(checks.store({"kind": config.kind, "source": source}))
        except ValidationError as exc:
            findings += explain(exc, SourceConfig, place)
        except Findings as exc:
            findings += below(keys, exc.findings)
        else:
            return resolved
    raise ConfigError(
        f"the source of '{store}' in '{environment}' cannot be used",
        problems=report(loaded.path, loaded.lines, findings),
        hint="set the variables in the environment of this command; only it needs them",
    )


def resolve_environment(
    loaded: LoadedStack, environment: str, service: str, stores: Mapping[str, Mapping[str, str]]
) -> dict[str, str]:
    """A service's variables, each `${VAR}` read and each `${stores.NAME.attribute}` taken from `stores`.

    Raises ConfigError with everything that is missing.
    """
    environments = loaded.stack.environments
    services = _named(environments, environment, "the stack file has no environment").services
    config = _named(services, service, f"the environment '{environment}' has no service")
    keys: Keys = ("environments", environment, "services", service, "environment")
    findings: list[Finding] = []
    values: dict[str, str] = {}
    for name, text in config.environment.items():
        absent: list[str] = []

        def of_store(reference: str, absent: list[str] = absent) -> str:
            _, store, attribute = reference.split(".", 2)
            value = stores.get(store, {}).get(attribute)
            if value is None:
                absent.append(f"the branch's store '{store}' has no {attribute}")
            return value or ""

        values[name], missing = variables.expand(text, loaded.env, store=of_store)
        findings += (((*keys, name), what) for what in (*missing, *absent))
    if findings:
        raise ConfigError(
            f"the environment of the service '{service}' cannot be made",
            problems=report(loaded.path, loaded.lines, findings),
            hint="set the variables in the environment of this command",
        )
    return values


def resolve_url(loaded: LoadedStack, environment: str, service: str) -> str | None:
    """Where production's own service answers, its variables read; None when the stack file does not say.

    Raises ConfigError when a variable is missing.
    """
    config = loaded.stack.environments[environment].services[service]
    if config.url is None:
        return None
    text, missing = variables.expand(config.url.get_secret_value(), loaded.env)
    if missing:
        keys: Keys = ("environments", environment, "services", service, "url")
        raise ConfigError(
            f"the address of production's service '{service}' cannot be used",
            problems=report(loaded.path, loaded.lines, [(keys, what) for what in missing]),
            hint="set the variables in the environment of this command; only it needs them",
        )
    return text


PATHS = ("path", "config", "ca_file")
"""Keys of a source that are paths, relative to the stack file."""


def uses(raw: Mapping[str, Any], env: Mapping[str, str], base: Path) -> Iterator[Finding]:
    """What would be missing once the sources, services and hooks of a stack file are used.

    `raw` is the data as read, of any shape; paths are relative to `base`.
    """
    for keys, written in sources(raw):
        source, findings = _expanded(written, keys, env, base)
        yield from findings
        if not findings:
            kind = raw["environments"][keys[1]]["stores"][keys[3]].get("kind")
            yield from below(keys[:-1], checks.store({"kind": kind, "source": source}))
    for name, environment in _items(raw.get("environments")):
        for service, config in _items(_get(environment, "services")):
            for variable, text in _items(_get(config, "environment")):
                variable_place: Keys = ("environments", name, "services", service, "environment", variable)
                if isinstance(text, str):
                    yield from ((variable_place, what) for what in variables.expand(text, env)[1])
    hooks = _get(raw.get("sanitize"), "hooks")
    for index, hook in enumerate(hooks if isinstance(hooks, list) else ()):
        if isinstance(hook, str) and hook:
            place: Keys = ("sanitize", "hooks", index)
            text, missing = variables.expand(hook, env)
            path = None if missing else absolute(text, base, place, [])
            if path is not None and not path.is_file():
                yield place, f"there is no file {quoted(path, limit=200)}"


def sources(data: Mapping[str, Any]) -> Iterator[tuple[Keys, dict[str, Any]]]:
    """Every mapping below environments.*.stores.*.source, whatever the shape of what is around it."""
    for name, environment in _items(data.get("environments")):
        for store, config in _items(_get(environment, "stores")):
            source = _get(config, "source")
            if isinstance(source, dict):
                yield ("environments", name, "stores", store, "source"), source


def absolute(text: str, base: Path, keys: Keys, findings: list[Finding]) -> Path | None:
    """The path that `text` means from `base`, `~` included; None, and a finding, when it can mean none."""
    if "\0" in text:
        findings.append((keys, "is not a usable path"))
        return None
    try:
        return base / Path(text).expanduser()
    except RuntimeError:
        findings.append((keys, "names a home directory (~) that there is none of"))
        return None


def _expanded(
    written: Mapping[str, Any], keys: Keys, env: Mapping[str, str], base: Path
) -> tuple[dict[str, Any], list[Finding]]:
    """A source with its variables read and its path absolute, and what is missing; `keys` lead to the source."""
    findings: list[Finding] = []
    source: dict[str, Any] = {}
    for key, value in written.items():
        if isinstance(value, str):
            text, missing = variables.expand(value, env)
            findings += (((*keys, key), what) for what in missing)
            path = absolute(text, base, (*keys, key), findings) if key in PATHS and text else None
            value = text if path is None else str(path)
        elif isinstance(value, dict):
            value, inner = _expanded(value, (*keys, key), env, base)
            findings += inner
        elif isinstance(value, list):  # the words of a command
            words = [variables.expand(word, env) if isinstance(word, str) else (word, ()) for word in value]
            findings += (((*keys, key, index), what) for index, (_, missing) in enumerate(words) for what in missing)
            value = [word for word, _ in words]
        source[key] = value
    return source, findings


def _named(mapping: Mapping[str, Any], name: str, complaint: str) -> Any:
    if name not in mapping:
        there = did_you_mean(name, mapping) or f"; there are: {', '.join(sorted(mapping)) or 'none'}"
        raise ConfigError(f"{complaint} '{name}'{there}")
    return mapping[name]


def _items(value: object) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from value.items()


def _get(value: object, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None
