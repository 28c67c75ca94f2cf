"""The kinds of domains: what each promises, and which fields it can stand for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from envclone.models import Field, FieldKind, FieldRule, JsonRule

__all__ = [
    "ANY",
    "DATES",
    "HOOKS",
    "IDENTITIES",
    "KINDS",
    "NUMBERS",
    "DomainSpec",
    "Kind",
    "fits",
    "json_rules",
    "kind_of",
    "resolve",
    "takes",
]

INTEGERS = frozenset(("int2", "int4", "int8"))
NUMBERS = INTEGERS | {"numeric", "float4", "float8"}
DATES = frozenset(("date", "timestamp", "timestamptz")) | frozenset(
    f"{kind}{shape}" for kind in ("date", "ts", "tstz") for shape in ("range", "multirange")
)
TEXT = "text"
_TEXTS = frozenset(("text", "varchar", "bpchar", "citext", "name"))
"""Types whose values are texts; TEXT stands for all of them."""
ANY = frozenset(("*",))
HOOKS = ("python:", "exec:", "sql:")
"""How a domain begins that is a hook: `python:FILE:FUNCTION`, `exec:FILE:NAME`, `sql:FILE`."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a kind of domain promises of its masks.

    `takes` are the base types it can mask, as PostgreSQL names them, beside texts ('text'); ANY is every type.
    `injective`: different values have different pseudonyms. `identity`: its values name persons or what belongs to one,
    and free text is searched for them. `shifts`: its pseudonyms can depend on a column of the same row.
    """

    takes: frozenset[str]
    injective: bool
    identity: bool = False
    shifts: bool = False


def _kind(*takes: str, injective: bool = True, identity: bool = False, shifts: bool = False) -> Kind:
    return Kind(frozenset((TEXT, *takes)), injective, identity, shifts)


KINDS: Mapping[str, Kind] = {
    "person": _kind(identity=True),
    "email": _kind(identity=True),
    "phone": _kind("int8", "numeric", identity=True),
    "address": _kind(identity=True),
    "company": _kind(identity=True),
    "username": _kind(identity=True),
    "iban": _kind(identity=True),
    "card": _kind("int8", "numeric", identity=True),
    "national_id": _kind(identity=True),
    "ip": _kind("inet", "cidr"),
    "mac": _kind("macaddr", "macaddr8"),
    "url": _kind(),
    "uuid": _kind("uuid", identity=True),
    "date": _kind(*DATES, shifts=True),
    "integer": _kind(*INTEGERS, "numeric"),
    "key": _kind(),
    "number": _kind(*NUMBERS, injective=False),
    "text": _kind("xml", "tsvector", "bytea", injective=False),
    "json": _kind("bytea", "json", "jsonb", injective=False),
    "secret": _kind(),
    "setting": _kind(injective=False, shifts=True),
    "bytes": Kind(frozenset(("bytea",)), injective=True),
    "constant": Kind(ANY, injective=False),
    "redact": _kind(*NUMBERS, "bytea", "xml", injective=False),
    "hook": Kind(ANY, injective=True, shifts=True),  # unless it is not: then a unique index does not come to be
    "sql": Kind(ANY, injective=True),
    "null": Kind(ANY, injective=True),  # NULLs are distinct from each other
    "keep": Kind(ANY, injective=True),
}
"""Every kind by name; each is also a domain of that name without being declared."""

IDENTITIES = frozenset(name for name, kind in KINDS.items() if kind.identity)


@dataclass(frozen=True, slots=True)
class DomainSpec:
    """A domain of the stack file: its kind, and whether different values must have different pseudonyms.

    `value` is what every value becomes under the kind `constant`. `consistency` is what a name's pseudonym is a
    function of: 'name', or 'person', the whole name that it is a part of.
    """

    kind: str
    unique: bool = False
    value: str | None = None
    consistency: str = "name"


def resolve(name: str, domains: Mapping[str, DomainSpec]) -> DomainSpec | None:
    """The domain of that name, declared or built in; None when there is none of a known kind."""
    if name in domains:
        spec = domains[name]
        return spec if spec.kind in KINDS else None
    if name.startswith(HOOKS):
        return DomainSpec("sql" if name.startswith("sql:") else "hook")
    return DomainSpec(name) if name in KINDS and name not in ("constant", "hook", "sql") else None


def kind_of(name: str, domains: Mapping[str, DomainSpec]) -> str:
    """The kind of a domain that is known to exist. Raises KeyError."""
    spec = resolve(name, domains)
    if spec is None:
        raise KeyError(name)
    return spec.kind


def takes(kind: str, base: str) -> bool:
    """Whether a kind can mask values of a base type; '' is a type of which nothing is known."""
    types = KINDS[kind].takes
    return types is ANY or (TEXT if base in _TEXTS else base) in types


def fits(kind: str, field: Field) -> bool:
    """Whether a kind can mask a field that is not a vector; JSON is decided leaf by leaf."""
    if field.kind is FieldKind.JSON:
        return TEXT in KINDS[kind].takes or KINDS[kind].takes is ANY
    return takes(kind, TEXT if field.kind is FieldKind.TEXT else field.base.removesuffix("[]"))


def json_rules(rule: FieldRule, kind: str = "") -> tuple[JsonRule, ...]:
    """The path rules of a JSON field; a domain for the whole field stands for every leaf below."""
    return rule.json or (JsonRule("$.**", "text" if kind == "json" else rule.domain),)


def flat(value: object) -> Iterator[str]:
    """The strings of a nested list."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from flat(item)
