"""Fields that are nobody's: closed lists, names of a program, what other tables look up."""

from __future__ import annotations

import re
from collections.abc import Collection

from envclone.address import Address
from envclone.masking.guesses import by_name
from envclone.masking.names import is_name
from envclone.models import Field
from envclone.scan.found import Holder, Sample
from envclone.scan.hidden import names_anybody
from envclone.scan.numbers import article_numbers, counted, series
from envclone.scan.things import (
    hosts_listed,
    message_ids,
    migrations,
    node_ids,
    object_ids,
    packages,
    prefixed,
    stamped,
    told_apart,
    traced,
)
from envclone.scan.told import names_of, sums
from envclone.scan.values import Looks, persons
from envclone.scan.vocabulary import identifiers, listed

__all__ = ["IDENTITIES", "OFTEN", "nobodys", "short_signs", "site_codes"]

OFTEN = 0.6
"""The part of values from which on what they are taken for counts."""
IDENTITIES = frozenset(
    (
        "email",
        "phone",
        "person",
        "username",
        "iban",
        "card",
        "national_id",
        "ip",
        "mac",
        "secret",
        "address",
        "company",
        "key",
    )
)
_GUESSED = frozenset(("person", "username", "text", "keep", "company", "national_id", "phone"))
"""What values are taken for without a sign that is theirs alone."""
_NUMBERED = frozenset(("", "keep", "text", "person", "username", "company"))
"""What a field with the numbers of a series can be called like."""
_DOORS = re.compile(r"session|thread|chat|checkpoint|token|invit|reset|cookie|secret|password|otp|voucher|coupon|gift")
_SHORT_CODE, _SHORT_LIST = 12, 60
"""Characters of a code or a sign in a short table."""
_CODES = re.compile(
    r"(^|_)(slug|sku|code|codename|upc|ean|gtin|isbn|model|key|version|num|icon|extension|permalink|"
    r"ref|reference|barcode|(part|article|art|item|material|mat)_?(no|nr|num|number))$"
)


def _of_things(field: Field, path: str) -> str:
    """What a field is called where it stands in no table of persons, which a service calls something, too."""
    *holder, _ = Address.parse(field.address).parts
    return "" if by_name("name", holder[-1] if holder else "") == "person" else names_of(field, path)[0]


def _codes_of_doors(field: Field) -> bool:
    return _DOORS.search(field.address.lower()) is not None


def nobodys(
    field: Field, sample: Sample, told: str, seen: Looks | None, holder: Holder, path: str = ""
) -> tuple[str, float, str] | None:
    """That a field is nobody's, when its values stand in a closed list, are names of a program, or are looked up."""
    values = {value for value in sample.texts if value.strip()}
    personal = told in IDENTITIES
    if not values:
        return None
    if said := listed(values, personal=personal):
        return "keep", 0.85, f"its values are {said}"
    if sums(field, path, sample, personal=holder.personal):
        return "keep", 0.7, "checksums by their name"
    if told in _NUMBERED and not _codes_of_doors(field) and series(values):
        return "keep", 0.7, "numbers of a series: nothing else differs in them"
    if message_ids(field, values):
        return "keep", 0.7, "ids of messages that a program drew, at its own host"
    if node_ids(values):
        return "keep", 0.8, "global ids of an API: a type and a number"
    if migrations(field, values) and not personal:
        return "keep", 0.8, "names of a schema's migrations"
    if stamped(values) and told not in IDENTITIES:
        return "keep", 0.7, "numbers that begin with a moment"
    if packages(names_of(field, path)[0], values) and not personal:
        return "keep", 0.7, "names of packages"
    if hosts_listed(field, values) and not personal:
        return "keep", 0.6, "hosts of a list"
    if traced(names_of(field, path)[0], values):
        return "keep", 0.7, "numbers that programs trace their work by"
    if object_ids(values, _of_things(field, path)) and not personal:
        return "keep", 0.7, "what a service calls its objects"
    key = field.address in holder.refers or (field.unique and holder.lookup)
    if key and not personal and seen is not None and seen.kind == "national_id":
        return "keep", 0.6, "numbers that a short list of things is told apart by"
    if seen is not None and seen.kind not in _GUESSED:
        return None
    if field.unique and not personal and counted(values):
        return "keep", 0.7, "its values were counted up by a program"
    if field.unique and not personal and prefixed(values):
        return "keep", 0.6, "a program's numbers, each behind the same capitals"
    if field.unique and not personal and site_codes(field, values):
        return "keep", 0.6, "short codes that other tables refer to"
    if article_numbers(values) and not personal:
        return "keep", 0.8, "its values are article numbers with the right check digit"
    if personal or holder.personal or persons(values):
        return None
    named = _CODES.search(Address.parse(field.address).name.lower()) is not None
    of_names = seen is not None and seen.kind in ("username", "person") and seen.part >= OFTEN
    if field.unique and sample.whole and not path and told_apart(field, values):
        return "keep", 0.6, "labels of a table of kinds, and nobody is found in them: no mask of texts keeps them apart"
    if identifiers(values) and (named or not of_names) and (named or field.unique or holder.lookup):
        doubtful = sum(map(is_name, values)) > len(values) / 2  # `alpha`, `grace`
        sure = 0.75 if named else 0.6 if doubtful else 0.7
        return "keep", sure, "its values are a program's names, and nobody stands beside them"
    if named and not of_names and not any(" " in value.strip() for value in values):
        return "keep", 0.7, "a code by its name, and nobody stands beside it"
    if holder.lookup and field.unique and (seen is None or seen.kind in ("person", "username", "keep")):
        return "keep", 0.7, "the name of something that other tables refer to, in a short table without persons"
    if holder.lookup and seen is not None and seen.kind in ("person", "username"):
        return "text", 0.5, f"{seen.why}, in a short table that others refer to: free text is the safe choice"
    return None


def short_signs(sample: Sample, *, personal: bool) -> bool:
    """Whether these are all the values of a short table without persons, a few characters each: `°C`, `%RH`, `kWh`."""
    present = {value.strip() for value in sample.texts if value.strip()}
    return (
        sample.whole
        and not personal
        and 0 < len(present) <= _SHORT_LIST
        and all(len(value) <= _SHORT_CODE for value in present)
        and not any(map(names_anybody, present))
    )


def site_codes(field: Field, values: Collection[str]) -> bool:
    """Whether these are short codes in capitals that rows of other tables refer to: `WAW1`, `BER3`, and no persons'."""
    *holder, name = Address.parse(field.address).parts
    called = _CODE.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()) is not None
    others = any(Address.parse(other).holder != Address.parse(field.address).holder for other in field.group)
    people = by_name("name", holder[-1] if holder else "") == "person"
    names = sum(is_name(value.strip("0123456789-_").lower()) for value in values)
    coded = all(map(_SHORT_CAPITALS.fullmatch, values)) and 2 * names <= len(values)
    return called and others and not people and not _codes_of_doors(field) and coded


_CODE = re.compile(r"(^|_)(code|key|id|kuerzel|sigla|symbol|abbr(eviation)?)$")
_SHORT_CAPITALS = re.compile(r"[A-Z0-9]{1,6}(?:[-_.][A-Z0-9]{1,6}){0,2}")
