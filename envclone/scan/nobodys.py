"""Fields that are nobody's: closed lists, names of a program, what other tables look up."""

from __future__ import annotations

import re

from envclone.address import Address
from envclone.masking.names import is_name
from envclone.models import Field
from envclone.scan.found import Holder, Sample
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

__all__ = ["IDENTITIES", "OFTEN", "nobodys"]

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
_CODES = re.compile(
    r"(^|_)(slug|sku|code|codename|upc|ean|gtin|isbn|model|key|version|num|icon|extension|permalink|"
    r"ref|reference|barcode|(part|article|art|item|material|mat)_?(no|nr|num|number))$"
)


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
    if object_ids(values) and not personal:
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
