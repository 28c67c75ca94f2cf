"""What the parts of a stack file must mean together, checked on plain data so that one mistake hides no other.

The data may be what was read from the file, before its shapes were validated, or a model's own dump: whatever has
the wrong shape is skipped here, for the schema reports it.
"""

from __future__ import annotations

import datetime as dt
import graphlib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import SecretStr

from envclone.config import durations, variables
from envclone.config.base import EVERY, MAX_AGE, WINDOW, DomainKind
from envclone.config.problems import Finding, Findings, Keys, below, did_you_mean, one_of, quoted

__all__ = ["across", "allowed", "everything", "kinds", "require", "rule_shape", "sanitize", "store"]

DOMAIN_KINDS: tuple[str, ...] = get_args(DomainKind)
ATTRIBUTES = ("url", "host", "port", "user", "password", "database", "path")
"""What `${stores.NAME.…}` can ask of a branch's store."""

RESERVED = ("sandbox", "localhost", "gate")
"""Names that a preview stack has itself."""

NAMED = ("vectors", "words")
"""What a rule keeps by name: `{vectors: keep}`."""

DROP = "drop"
"""What can be asked for vectors; whether it can be done is known when the store is seen."""

OPTIONS = ("domain", "by")
"""What a rule can say of a field when it is a mapping and not one of JSON paths."""

HOOKS = ("python:", "exec:", "sql:")
_HOOK = re.compile(r"(?:python:[^:]+\.py|exec:[^:]+):\w+|sql:[^:]+\.sql")
_NUMBER = re.compile(r"([^:]*\.)?(\d+|0[xX][0-9a-fA-F]*)\.?")
_ADDRESS = re.compile(r"((25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(\.(?!$)|$)){4}")
_HTTP = re.compile(r"https?://[^/\s]")
_FIELD = r'((?:"(?:[^"]|"")*"|[^\s"])+?)'
_REFERENCE = re.compile(
    rf"\s*([^.\s]+)\.{_FIELD}\s*<?->\s*([^.\s]+)\.{_FIELD}"
    r'(\s+where\s+("(?:[^"]|"")*"|[^\s=]+)\s*=\s*.+)?\s*'
)


@dataclass(frozen=True, slots=True)
class _Engine:
    """What a built-in kind of store can be read by: each method and the key it needs, and all keys it knows."""

    methods: Mapping[str, str]
    keys: Collection[str]
    collections: bool = False


_ENGINES = {
    "postgres": _Engine(
        {"physical": "dsn", "directory": "path", "logical": "dsn", "provider": "provider", "volume": "volume"},
        {
            "method",
            "dsn",
            "path",
            "database",
            "config",
            "jobs",
            "password_command",
            "max_rate",
            "provider",
            "refresh",
            "without_extensions",
            "volume",
            "mounted",
        },
    ),
    "qdrant": _Engine(
        {"snapshot": "url", "directory": "path", "volume": "volume"},
        {"method", "url", "api_key", "ca_file", "peers", "path", "refresh", "volume", "mounted"},
        collections=True,
    ),
}
_OF_A_METHOD = {
    "jobs": ("logical", "provider"),
    "max_rate": ("physical",),
    "provider": ("provider",),
    "refresh": ("physical", "directory", "snapshot"),
    "volume": ("volume",),
    "mounted": ("directory",),
    "without_extensions": ("logical", "provider"),
}
_SLOWEST, _FASTEST = 32 << 10, 1 << 30
"""Bytes per second that pg_basebackup takes as a rate."""
_SOURCE_KEYS = frozenset(key for engine in _ENGINES.values() for key in engine.keys)


def require(findings: Iterable[Finding]) -> None:
    """Raise Findings when there are any."""
    found = tuple(findings)
    if found:
        raise Findings(found)


def everything(data: object) -> Iterator[Finding]:
    """All that the other functions find, over a whole stack file."""
    for name, environment in _mapping(_mapping(data).get("environments")).items():
        for store_name, config in _mapping(_mapping(environment).get("stores")).items():
            yield from below(("environments", name, "stores", store_name), store(config))
        yield from below(("environments", name, "allow"), allowed(_mapping(environment).get("allow")))
    yield from below(("sanitize",), sanitize(_mapping(data).get("sanitize")))
    yield from across(data)


def allowed(data: object) -> Iterator[Finding]:
    """Whether an address among the destinations is written so that everybody reads the same."""
    for index, text in enumerate(data if isinstance(data, list) else ()):
        host = str(text).rpartition(":")[0] or str(text)
        if _NUMBER.fullmatch(host) and not _ADDRESS.fullmatch(host):
            yield (index,), f"{quoted(str(text))} is an address in an unusual form: write four numbers with dots"


def store(data: object) -> Iterator[Finding]:
    """Whether a store's source fits its kind."""
    config = _mapping(data)
    kind, source = config.get("kind"), _mapping(config.get("source"))
    engine = _ENGINES.get(kind) if isinstance(kind, str) else None
    if engine is None:
        return
    method = source.get("method")
    if isinstance(method, str) and method in {"physical", "directory", "logical", "provider", "snapshot", "volume"}:
        needed = engine.methods.get(method)
        if needed is None:
            yield ("source", "method"), f"must be {one_of(tuple(engine.methods))} for a store of kind {kind}"
        elif source.get(needed) is None:
            yield ("source", needed), f"is required for a store of kind {kind} and the method {method}"
    for key, only in _OF_A_METHOD.items():
        if source.get(key) is not None and isinstance(method, str) and method not in only:
            yield ("source", key), f"is for the method {one_of(only)} only"
    if method == "provider" and source.get("provider") is not None and source.get("dsn") is None:
        yield ("source", "dsn"), "is required: its user, password and database hold for the temporary instance, too"
    if method == "volume":
        yield from below(("source", "volume"), _volume(_mapping(source.get("volume"))))
    if isinstance(rate := source.get("max_rate"), int) and not _SLOWEST <= rate <= _FASTEST:
        yield ("source", "max_rate"), "must be from 32k to 1g, in bytes per second"
    for key, value in source.items():
        if value is not None and key in _SOURCE_KEYS and key not in engine.keys:
            yield ("source", key), f"is not used by a store of kind {kind}"
    if config.get("collections") is not None and not engine.collections:
        yield ("collections",), f"is not used by a store of kind {kind}"
    if kind == "qdrant":
        urls: list[tuple[Keys, Any]] = [(("source", "url"), source.get("url"))]
        urls += [(("source", "peers", peer), one) for peer, one in _mapping(source.get("peers")).items()]
        for keys, url in urls:
            url = url.get_secret_value() if isinstance(url, SecretStr) else url
            if isinstance(url, str) and not (variables.present(url) or _HTTP.match(url)):
                yield keys, "must begin with http:// or https:// and a host"


_FOUND_BY = ("cluster", "statefulset", "pod", "labels")


def _volume(config: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether volumes are found in one way."""
    if config and sum(config.get(key) is not None for key in _FOUND_BY) != 1:
        yield (), f"must name one of {one_of(_FOUND_BY)}"


def _of_volumes(environment: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether stores that are volumes of a cluster have one, and no other store is beside them."""
    methods = {
        name: _mapping(_mapping(store).get("source")).get("method")
        for name, store in _mapping(environment.get("stores")).items()
    }
    if "volume" not in methods.values():
        return
    if environment.get("kubernetes") is None or environment.get("runtime") != "kubernetes":
        yield ("runtime",), "must be kubernetes, with `kubernetes:`, for a store of the method volume"
    for name, method in methods.items():
        if method != "volume":
            yield (
                ("stores", name, "source", "method"),
                "must be volume as well: the image of an environment is made in one place",
            )


def sanitize(data: object) -> Iterator[Finding]:
    """Whether every rule names a domain that there is."""
    declared = _mapping(_mapping(data).get("domains"))
    for name, config in declared.items():
        kind = _mapping(config).get("kind")
        if name in DOMAIN_KINDS and (kind in DOMAIN_KINDS or kind is None) and (kind or "null") != name:
            yield ("domains", name, "kind"), f"must be {name}: the name of a kind always means that kind"
        if (kind == "constant") != (_mapping(config).get("value") is not None) and kind in DOMAIN_KINDS:
            wanted = "is required for the kind constant" if kind == "constant" else "is for the kind constant only"
            yield ("domains", name, "value"), wanted
        consistency = _mapping(config).get("consistency")
        if consistency == "person" and kind != "person" and kind in DOMAIN_KINDS:
            yield ("domains", name, "consistency"), "is for the kind person only"
        persons = {
            one.get("consistency", "name") for one in map(_mapping, declared.values()) if one.get("kind") == "person"
        }
        if consistency == "person" and kind == "person" and len(persons) > 1:
            yield ("domains", name, "consistency"), "must be the same in every domain of the kind person"
    known = [*declared, *(kind for kind in DOMAIN_KINDS if kind not in declared)]
    lookup = frozenset(known)
    for store_name, rules in _mapping(_mapping(data).get("rules")).items():
        for address, rule in _mapping(rules).items():
            for keys, domain in _domains(rule):
                if domain.startswith(HOOKS):
                    if not _HOOK.fullmatch(domain):
                        yield ("rules", store_name, address, *keys), "must be python:FILE:FUNCTION or sql:FILE"
                elif domain not in lookup and domain != DROP:
                    yield (
                        ("rules", store_name, address, *keys),
                        f"unknown domain {quoted(domain)}"
                        + (did_you_mean(domain, known) or "; declare it under sanitize.domains"),
                    )


def rule_shape(rule: object) -> Iterator[Finding]:
    """Whether a rule is a domain's name, what is kept by name, `{domain: …, by: …}`, or a domain per JSON path."""
    if isinstance(rule, dict) and "domain" in rule:
        for option, value in rule.items():
            if option not in OPTIONS:
                yield (option,), f"is not an option of a rule; there are: {', '.join(OPTIONS)}"
            elif not isinstance(value, str) or not value:
                yield (option,), "must be a domain's name" if option == "domain" else "must be a column's name"
    elif isinstance(rule, dict):
        if not rule:
            yield (), "is empty: name a domain, or a domain per JSON path"
        for path, domain in rule.items():
            if path in NAMED:
                if domain != "keep":
                    yield (path,), f"must be keep: it says that {path} are kept"
            elif not isinstance(path, str) or not path.startswith("$"):
                yield (), f"{_outlined(path)} is not a JSON path: it begins with $, such as $.user.email"
            elif not isinstance(domain, str | None):
                yield (path,), "must be a domain's name"
    elif not isinstance(rule, str | None):
        yield (), "must be a domain's name, or a mapping of JSON path to domain"


def across(data: object) -> Iterator[Finding]:
    """Whether every store and service that is named somewhere is declared."""
    everywhere: dict[str, None] = {}
    for name, environment in _mapping(_mapping(data).get("environments")).items():
        stores = _mapping(_mapping(environment).get("stores"))
        everywhere.update(dict.fromkeys(stores))
        one = _mapping(environment)
        yield from below(("environments", name), _services(one.get("services"), list(stores), one.get("allow")))
        yield from below(("environments", name), _of_volumes(one))
        if isinstance(_mapping(environment).get("track"), dict):
            yield from below(("environments", name), _track(_mapping(environment), _mapping(data)))
    section = _mapping(_mapping(data).get("sanitize"))
    for store_name in _mapping(section.get("rules")):
        if store_name not in everywhere:
            hint = did_you_mean(store_name, everywhere)
            yield ("sanitize", "rules", store_name), f"no environment has a store {quoted(store_name)}{hint}"
    for index, reference in enumerate(_sequence(section.get("references"))):
        if isinstance(reference, str):
            yield from below(("sanitize", "references", index), _reference(reference, everywhere))


def _track(environment: Mapping[str, Any], data: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether there is something to follow, and whether what is kept of it may stay so long."""
    stores = _mapping(environment.get("stores"))
    built_in = {name: one for name, one in stores.items() if _mapping(one).get("kind") in _ENGINES}
    if stores and len(built_in) == len(stores) and not any(map(_followed, stores.values())):
        yield (
            ("track",),
            (
                "needs a store that can be followed, which is a running PostgreSQL (method: physical); of the others "
                "there are snapshots only"
            ),
        )
    every = _span(_mapping(environment["track"]).get("every"), EVERY)
    window = _span(_mapping(environment["track"]).get("window"), WINDOW)
    most = _span(_mapping(data.get("quarantine")).get("max_age"), MAX_AGE)
    if every and window and most and every + window > most:
        left = durations.text(most - every) if most > every else "nothing"
        yield (
            ("track", "window"),
            (
                f"must be at most {left}: the base backup before it is older by up to {durations.text(every)} "
                f"(`every`), and nothing raw stays longer than quarantine.max_age, which is {durations.text(most)}"
            ),
        )


def _followed(store: object) -> bool:
    config = _mapping(store)
    return config.get("kind") == "postgres" and _mapping(config.get("source")).get("method") == "physical"


def _span(value: object, default: dt.timedelta) -> dt.timedelta | None:
    """A length of time as it was written or as it was read; None when it is none, which the schema reports."""
    if value is None:
        return default
    if isinstance(value, dt.timedelta):
        return value
    try:
        return durations.parse_duration(str(value))
    except ValueError:
        return None


def kinds(data: object, known: Callable[[], Collection[str]], *, strict: bool) -> Iterator[Finding]:
    """Stores of a kind that nothing registers; unless `strict`, only those that look like a typing error."""
    for name, environment in _mapping(_mapping(data).get("environments")).items():
        for store_name, config in _mapping(_mapping(environment).get("stores")).items():
            kind = _mapping(config).get("kind")
            if not isinstance(kind, str) or kind in _ENGINES or kind in known():
                continue
            hint = did_you_mean(kind, known())
            if hint or strict:
                there = "" if hint else f"; there are: {', '.join(sorted(known()))}"
                yield (
                    ("environments", name, "stores", store_name, "kind"),
                    f"unknown kind {quoted(kind)}{hint}{there}",
                )


def _reference(reference: str, stores: Collection[str]) -> Iterator[Finding]:
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        yield (), "must look like store.collection.key -> store.schema.table.column"
        return
    for store_name in (match[1], match[3]):
        if store_name not in stores:
            yield (), f"no environment has a store {quoted(store_name)}{did_you_mean(store_name, stores)}"


_OF_THE_CASSETTE = 3129
"""Where a cassette answers in a preview stack (runtimes.docker.ports)."""


def _model(service: object, allow: object) -> Iterator[Finding]:
    """Whether a service can be answered in the way that it asks for."""
    asked = _mapping(service)
    if asked.get("model") == "live" and not _sequence(allow):
        yield ("model",), "needs the destinations that it asks in `allow` of its environment"
    for index, port in enumerate(_sequence(asked.get("ports"))):
        if asked.get("model") in ("cassette", "live") and port == _OF_THE_CASSETTE:
            yield ("ports", index), f"{port} is the cassette's and the guard's own: have the service listen elsewhere"


def _services(services: object, stores: Sequence[str], allow: object = None) -> Iterator[Finding]:
    declared = _mapping(services)
    models = {name: _mapping(service).get("model") for name, service in declared.items()}
    if {"cassette", "live"} <= {one for one in models.values() if isinstance(one, str)}:
        name = next(name for name, one in models.items() if one == "live")
        yield (
            ("services", name, "model"),
            ("is live beside a service with a cassette, and they share one network: have all of them live, or none"),
        )
    graph: dict[str, set[str]] = {}
    ports: dict[int, str] = {}
    for name, service in declared.items():
        keys: Keys = ("services", name)
        if name in stores or name in RESERVED:
            yield keys, f"is the name of a {'store' if name in stores else 'part of every preview stack'} already"
        for index, port in enumerate(_sequence(_mapping(service).get("ports"))):
            if isinstance(port, int) and ports.setdefault(port, name) != name:
                yield (
                    (*keys, "ports", index),
                    f"{port} is a port of {quoted(ports[port])} too, and the services of a preview stack share one "
                    "address: have one of them listen elsewhere, by its command or environment",
                )
        for variable, value in _mapping(_mapping(service).get("environment")).items():
            if isinstance(value, str):
                yield from below((*keys, "environment", variable), _store_references(value, stores))
        needs = _sequence(_mapping(service).get("depends_on"))
        graph[name] = {need for need in needs if isinstance(need, str)}
        for index, need in enumerate(needs):
            if isinstance(need, str) and need not in declared and need not in stores:
                hint = did_you_mean(need, [*declared, *stores])
                yield (*keys, "depends_on", index), f"there is no service or store {quoted(need)}{hint}"
        yield from below(keys, _model(service, allow))
        check = _mapping(service).get("healthcheck")
        if isinstance(check, dict) and (check.get("command") is None) == (check.get("path") is None):
            yield (*keys, "healthcheck"), "needs either a command or a path"
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as exc:
        circle = [str(name) for name in exc.args[1]]
        yield ("services", circle[0], "depends_on"), f"goes in a circle: {' -> '.join(map(quoted, circle[:10]))}"


def _store_references(value: str, stores: Sequence[str]) -> Iterator[Finding]:
    for reference in variables.references(value):
        name, _, attribute = reference.removeprefix("stores.").partition(".")
        if name not in stores:
            yield (), f"there is no store {quoted(name)} in this environment{did_you_mean(name, stores)}"
        elif attribute not in ATTRIBUTES:
            hint = did_you_mean(attribute, ATTRIBUTES) or f"; there are: {', '.join(ATTRIBUTES)}"
            yield (), f"a store has no {quoted(attribute)}{hint}"


def _outlined(path: object) -> str:
    """A path that is none, as it may be shown: one that could be a column's stands as it is."""
    from envclone.masking.shown import shown_address

    return quoted(shown_address(str(path)))


def _domains(rule: object) -> Iterator[tuple[Keys, str]]:
    """The domains that a rule names, with the JSON path that leads to each."""
    if isinstance(rule, str):
        yield (), rule
    elif isinstance(rule, dict):
        for path, domain in rule.items():
            if path not in NAMED and isinstance(domain, str) and ("domain" not in rule or path == "domain"):
                yield (path,), domain


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _sequence(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else []
