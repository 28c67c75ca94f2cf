"""What is called by everyday words is a thing: goods, services, places to work at, and no person."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection, Sequence

from envclone.address import Address
from envclone.masking.common_words import is_common, is_everyday, is_place
from envclone.masking.names import is_name
from envclone.masking.words import TITLES
from envclone.models import Field
from envclone.scan.hidden import holds_identity, names_anybody
from envclone.scan.values import is_full_name
from envclone.scan.vocabulary import listed

__all__ = [
    "called_things",
    "carries_goods",
    "drawn",
    "elsewhere",
    "hosts_listed",
    "message_ids",
    "migrations",
    "mixed",
    "named_things",
    "node_ids",
    "object_ids",
    "of_things",
    "packages",
    "plain_labels",
    "prefixed",
    "stamped",
    "told_apart",
    "traced",
]

_WORD = re.compile(r"[^\W\d_]+")
_SOME = 0.25
"""The part of values with an everyday word that no column of persons comes near: of 3,000 persons one in a hundred."""
_FULL = 0.6
_LIST = 60
"""Labels that a list to choose from has at most."""
_LABEL = re.compile(r"[A-Z][A-Za-z]+(?:[ /&-]{1,3}[A-Za-z]+){0,4}")
_SHORTEST = 3
_THING = re.compile(
    r"(^|_)(product|item|variant|article|goods|collection|category|warehouse|store|shop|location|room|department|"
    r"team|group|role|plan|class|method|point|dataset|document|file|app|application|project|template|workflow|service|"
    r"device|bucket|queue|channel|medication|drug|medicine|treatment|diagnosis|procedure|course|event|job|position|"
    r"skill|stage|pipeline|campaign|segment|tag|field|form|list|brand|model|holiday|shift|currency|country|region|"
    r"language|zone|branch|unit|table|column|index|task|board|space|page|report|feature|permission|policy|rule)_?"
    r"(name|title|label)$|^(item|product|goods|sku|service|feature|feature_name|label)$"
)
_GOODS = re.compile(
    r"(order|order_?line|line_?item|item|shipment|parcel|package|product|variant|fulfil?lment|delivery|cart|checkout|"
    r"stock|article|purchase|sale|shipping_?(method|rate|zone))s?$"
)
_PAYER = re.compile(r"(?:cus|cust|ctm)_(?=.*\d|.*[A-Z])[A-Za-z0-9]{8,40}")
_SUBJECT = re.compile(r"\d{21}")
"""What Google calls somebody by; longer than what programs count rows by."""
_OBJECT = re.compile(
    r"(?:pi|ch|evt|in|ii|sub|si|re|txn|po|py|price|prod|dp|tr|fee|card|src|acct)_[A-Za-z0-9]{14,40}|"
    r"(?:chatcmpl|cmpl|modr|batch)-[A-Za-z0-9]{16,48}|"
    r"(?:msg|run|resp|step|asst|file|call|toolu|thread|vs)[_-][A-Za-z0-9]{16,64}|(?:AC|CA|SM|MM|RE|PN|CF|MG|SK|VA)[0-9a-f]{32}"
)
"""What well-known services call payments, answers and calls by; who has the number alone has nothing."""
_EXTERNAL = re.compile(
    r"(^|_)(external|remote|provider|gateway|psp|processor|transaction|payment|charge|order)_?(id|ref|reference)$"
)
_NAMED_ID = re.compile(r"[a-z]{2,10}[_-][A-Za-z0-9]{8,40}|\d{4,20}|[A-Z0-9]{10,24}")
_NO_ID = re.compile(
    r"(?i)(sk|rk|pk|tok|token|key|pat|sess|session|secret|whsec|gh[a-z]|xox[a-z]|cus|cust|ctm|user|usr)[_-]"
)
"""What begins so lets in, or is somebody."""
_TRACE = re.compile(r"(^|_)(trace|span|parent_span|request|correlation|run|build|commit|batch|job|task|worker)_?id$")
_PICTURE = re.compile(r"(.*_)?(blur|thumb|average|perceptual|p|d|a)_?hash")
_SHORT = 65
_TOOLS = re.compile(
    r"databasechangelog(lock)?|flyway_schema_history|schema_(migrations|version)|alembic_version|goose_db_version|"
    r"_prisma_migrations|knex_migrations|__efmigrationshistory|(doctrine_)?migration_versions|django_migrations|"
    r"typeorm_migrations|migrations|ar_internal_metadata|phinxlog|__drizzle_migrations|sequelizemeta"
)
_MIGRATION = re.compile(r"[Vv]?\d[\d_.]{2,24}(?:_[A-Za-z]\w*)?")
_HEX = re.compile(r"[0-9a-f]{8,64}|[0-9A-F]{8,64}")
_MESSAGE_ID = re.compile(r"(message|msg|mail|event|i_?cal|calendar)_?(u?id|uid)$|^(in_reply_to|references|uid)$")
_AT_HOST = re.compile(r"<?([^\s@<>]+)@[^\s@<>]+>?")
_DRAWN = 12
_ALNUM = re.compile(r"[A-Za-z0-9_-]{8,40}")
_MIXED = re.compile(r"\d[A-Za-z]|[A-Za-z]\d|[a-z][A-Z]{2}|[A-Z]{2}[a-z]")
_MOSTLY = 0.8
_PACKAGE_NAME = re.compile(r"(^|_)(package|module|plugin|extension|library|gem|addon|app)(_?(name|id|key|slug))?$")
_PACKAGE = re.compile(r"(?:@[a-z0-9][\w.-]*/)?[a-z0-9][\w.+-]*(?:[/:][\w.+-]+)*")
_LISTED = re.compile(r"(block|allow|deny|black|white|ban)(ed|s|list|_|$)")
_HOST = re.compile(r"(?:[\w-]+\.)+[A-Za-z]{2,}")
_KINDS_OF = re.compile(
    r"(tag|label|categor(y|ie)|topic|status|stage|priorit(y|ie)|kind|type|reason|source|channel|medium|unit|role|"
    r"permission|feature|flag|module|plan|tax|severit(y|ie)|skill)(e?s)?(_?(entity|entities|list|def|definition)s?)?$"
)
_LONGEST_LABEL = 60
_NODE = re.compile(r"[A-Z][A-Za-z]+:(?:\d{1,18}|[0-9a-f-]{36})")
_STAMP = re.compile(r"20\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[T_-]?\d{4,12})")
_PREFIXED = re.compile(r"([A-Z]{2,6}[-_])(?:[0-9a-f]{4,16}|[0-9A-F]{4,16}|\d{3,12})")


def called_things(name: str) -> bool:
    """Whether a column or a key is called as what things are named in: `product_name`, `$.lines[*].item`."""
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().replace("-", "_")
    return _THING.search(plain) is not None


def carries_goods(table: Sequence[str]) -> bool:
    """Whether a table is called as what goods are sold or sent in, whoever else stands in it."""
    return any(_GOODS.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()) for name in table)


def of_things(values: Collection[str]) -> bool:
    """Whether so many of these values have an everyday word in them that they are no persons' names."""
    different = {value.strip() for value in values if value.strip()}
    return bool(different) and sum(map(_has_common, different)) >= _SOME * len(different)


def _mostly(values: Collection[str]) -> bool:
    return sum(map(_has_common, values)) >= len(values) / 2


def mixed(values: Collection[str]) -> bool:
    """Whether names of things, or numbers of some, stand beside whatever else these are."""
    numbered = sum(sum(char.isdigit() for char in value) > 1 for value in values)
    return of_things(values) or numbered >= _SOME * len(values)


def named_things(values: Collection[str]) -> bool:
    """Whether less than most of these are full names, so that what they are called by decides."""
    different = {value.strip() for value in values if value.strip()}
    return sum(map(is_full_name, different)) < _FULL * len(different)


def plain_labels(values: Collection[str], *, strictly: bool = True) -> bool:
    """Whether each of these is made of everyday words, and nothing finds anybody in any.

    Not `strictly`, of a few labels some words may be unknown, if they are no names (`Proctors` beside `Teachers`).
    """
    different = {value.strip() for value in values if value.strip()}
    words = [[word for word in _WORD.findall(value.lower()) if len(word) >= _SHORTEST] for value in different]
    loosely = not strictly and len(different) <= _LIST and all(map(_LABEL.fullmatch, different))
    known = all(
        its
        and all(
            is_everyday(word) or listed([word], personal=True) or (loosely and word.isascii() and not is_name(word))
            for word in its
        )
        for its in words
    )
    return known and of_things(different) and not any(map(names_anybody, different))


def packages(name: str, values: Collection[str]) -> bool:
    """Whether a field is called as what names a package of programs, and its values are spelled as registries want."""
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    present = {value.strip() for value in values if value.strip()}
    return _PACKAGE_NAME.search(plain) is not None and bool(present) and all(map(_PACKAGE.fullmatch, present))


def hosts_listed(field: Field, values: Collection[str]) -> bool:
    """Whether these are hosts in a table of what is blocked or allowed."""
    return _LISTED.search(field.address.lower()) is not None and bool(values) and all(map(_HOST.fullmatch, values))


def told_apart(field: Field, values: Collection[str]) -> bool:
    """Whether these are the labels of a table of tags, kinds or stages, and none of them names anybody."""
    *holder, name = (re.sub(r"(?<=[a-z])(?=[A-Z])", "_", part).lower() for part in Address.parse(field.address).parts)
    called = (
        bool(holder) and _KINDS_OF.search(holder[-1]) is not None and name in ("name", "title", "label", "slug", "tag")
    )
    present = {value.strip() for value in values if value.strip()}
    return (
        called
        and bool(present)
        and not any(len(value) > _LONGEST_LABEL for value in present)
        and (not (full := sum(map(is_full_name, present))) or (full <= _SOME * len(present) and _mostly(present)))
        and not any(map(names_anybody, present))
    )


def elsewhere(values: Collection[str]) -> bool:
    """Whether these are what a provider calls its customers or users: `cus_NffrFeUfNV2Hib`, 21 digits."""
    present = {value.strip() for value in values if value.strip()}
    return bool(present) and any(all(map(form.fullmatch, present)) for form in (_PAYER, _SUBJECT))


def object_ids(values: Collection[str], name: str = "") -> bool:
    """Whether these are what a service calls its payments, answers or calls: `pi_3Nf…`, `chatcmpl-…`.

    Where the field's `name` says that they refer to something elsewhere (`externalId`), any prefix and numbers count.
    """
    present = {value.strip() for value in values if value.strip()}
    if present and _EXTERNAL.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()):
        forms = [value for value in present if _NAMED_ID.fullmatch(value) and not _NO_ID.match(value)]
        return len(forms) == len(present)
    return bool(present) and all(map(_OBJECT.fullmatch, present))


def traced(name: str, values: Collection[str]) -> bool:
    """Whether a field is called as what programs trace their work by, and its values are hexadecimal numbers.

    What a picture is shown as before it is there (`blurhash`) is the picture's, too.
    """
    present = {value.strip() for value in values if value.strip()}
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    if _PICTURE.fullmatch(plain):
        return bool(present) and all(" " not in value and len(value) < _SHORT for value in present)
    return _TRACE.search(plain) is not None and bool(present) and all(map(_HEX.fullmatch, present))


def migrations(field: Field, values: Collection[str]) -> bool:
    """Whether these stand in a table of a schema's migrations, each behind its number: `20230101120000_Initial`.

    In a table that a tool for migrations is known to write, all that names nobody is the tool's.
    """
    *holder, _ = Address.parse(field.address).parts
    if holder and _TOOLS.fullmatch(holder[-1].lower()):
        return not any(map(holds_identity, values))
    called = bool(holder) and "migration" in holder[-1].lower()
    return called and bool(values) and all(map(_MIGRATION.fullmatch, map(str.strip, values)))


def message_ids(field: Field, values: Collection[str]) -> bool:
    """Whether a field is called an id of messages or events, and what stands before their hosts was drawn."""
    if not _MESSAGE_ID.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", Address.parse(field.address).name).lower()):
        return False
    parts = [_AT_HOST.fullmatch(value.strip()) for value in values]
    mixed = sum(one is not None and len(_MIXED.findall(one[1])) >= _SHORTEST for one in parts)
    return all(one is not None and len(one[1]) >= _DRAWN for one in parts) and mixed >= _MOSTLY * len(parts)


def drawn(values: Collection[str]) -> bool:
    """Whether these are of one length, of letters and digits in disorder: what a program draws for a row's key."""
    present = {value.strip() for value in values if value.strip()}
    mixed = sum(_MIXED.search(value) is not None for value in present)
    return (
        len(present) >= _SHORTEST
        and len({len(value) for value in present}) == 1
        and all(map(_ALNUM.fullmatch, present))
        and mixed >= _MOSTLY * len(present)
    )


def node_ids(values: Collection[str]) -> bool:
    """Whether these are global ids of an API: a type and a number in base64 (`UHJvZHVjdDox` is `Product:1`)."""
    present = {value.strip() for value in values if value.strip()}
    return bool(present) and all(map(_is_node, present))


def stamped(values: Collection[str]) -> bool:
    """Whether these begin with a moment of the last years: `20240312093015847261` is a batch's number."""
    present = {value.strip() for value in values if value.strip()}
    return bool(present) and all(map(_STAMP.fullmatch, present))


def prefixed(values: Collection[str]) -> bool:
    """Whether these are a program's numbers behind the same capitals, as long as each other: `EXT-9f30c2ab`."""
    found = [_PREFIXED.fullmatch(value.strip()) for value in set(values) if value.strip()]
    heads = {one[1] for one in found if one is not None}
    return (
        len(found) >= _SHORTEST
        and None not in found
        and len(heads) == 1
        and len({len(one[0]) for one in found if one}) == 1
    )


def _has_common(value: str) -> bool:
    return any(is_common(word) and word not in TITLES and not is_place(word) for word in _WORD.findall(value.lower()))


def _is_node(value: str) -> bool:
    try:
        plain = base64.b64decode(value, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return False
    return _NODE.fullmatch(plain) is not None
