"""What sampled values look like: the kind that most of them are, and how many."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence, Set
from typing import NamedTuple

from envclone.masking.common_words import is_place
from envclone.masking.company import FORMS
from envclone.masking.finance import iban_valid, luhn_valid, scheme_of
from envclone.masking.names import is_name
from envclone.masking.network import is_ip, is_mac
from envclone.masking.secret import is_secret
from envclone.masking.words import TITLES, WORDS_FIRST
from envclone.scan.hidden import hidden, holds_identity
from envclone.scan.numbers import pass_as_ids
from envclone.scan.vocabulary import listed

__all__ = ["Looks", "is_full_name", "look", "persons"]

_EMAIL = re.compile(r"[^\s@,;]+@[^\s@,;]+\.[A-Za-z]{2,}")
_URL = re.compile(r"(?:https?|ftp|wss?)://\S+|www\.\S+\.\S+|mailto:\S+")
_UUID = re.compile(r"(?i)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[ T]\d{2}:\d{2}.*)?|\d{1,2}[./]\d{1,2}[./]\d{4}")
_PHONE = re.compile(r"\+?[\d\s().\-/]{7,24}(?:\s?(?:x|ext\.?)\s?\d{1,6})?")
_FILED = re.compile(r"000\d+|(?:19|20)\d\d[-/.]\d{1,7}|\d{1,7}[-/](?:19|20)\d\d|[1-9].*[-/.]\d")
"""Numbers of files and of places in a plan: a telephone number ends in one digit by itself behind a code alone."""
_WORD = re.compile(r"[^\W\d_]+")
_ADDRESS = re.compile(
    r"(?i)\b(?:street|st|road|rd|avenue|ave|lane|ln|drive|dr|blvd|court|ct|way|square|place|apt|suite|rue|via|calle|"
    r"platz|weg|allee|gasse|po box)\b|(?:straße|strasse|str\.|gatan|vej|straat|laan)\b"
)
_USERNAME = re.compile(r"@?[A-Za-z][A-Za-z0-9]*(?:[._\-][A-Za-z0-9]+)*\d*")
_MARKUP = re.compile(r"<[^>]*>|[{}\"\[\]<>()]")
_JSON = re.compile(r"\s*[\[{].*[\]}]\s*", re.DOTALL)
_FILE = re.compile(r"/?(?:[\w.@%+-]{1,24}/)+[\w.@%+()-]{1,40}\.[A-Za-z0-9]{2,5}")
"""A file in folders: no secret, however its letters are mixed; what is drawn is longer."""
_CARD_DIGITS = range(13, 20)
_FEW = 0.6
_MOST = 0.8
_NEARLY_ALL = 0.95
"""The part of numbers without a sign of being dialled that has to have a telephone number's form."""
_WORDS_OF_A_TEXT, _WORDS_OF_AN_ADDRESS = 5, 12
"""On average: from as many on it is a text, and up to as many an address. A text can name a street, too."""
_FEW_DIFFERENT = 12
_FEWEST = 8
"""Different values from which on dictionaries tell something."""
_REPEATED = 10
_PARTLY = 0.4
_SOME = 0.3
_PARTLY_FULL = 0.15
_CLEAR = 0.9
_NUMBERED = 0.2
"""The part of values with numbers in them that names of persons never have."""
_TITLED, _MOSTLY_TITLED = 0.2, 0.5
"""The part of values that join names to something else, where less than `_FEW` are names, and where more are."""
_JOINED = re.compile(r"\s[-–—|/>:•]\s|\w:\s|\|")
"""What stands between the parts of a title (`Review - Ann Lee`, `1:1 Ann / Bob`), and in no name."""
_HIDDEN = 0.5
_CLOSELY = 100
"""Values that are searched as texts where nothing else is known of them."""
_MASKS_ANY_SPELLING = frozenset(("text", "json", "url"))
_SAYS_LITTLE = frozenset(("keep", "person", "username", "company", "address"))
"""What some values say though one of them is spelled otherwise."""


class Looks(NamedTuple):
    """What values look like: a kind, the part of them that does, and why in words. `keep` is nobody's."""

    kind: str
    part: float
    why: str


def look(values: Sequence[str], told: str = "") -> Looks | None:
    """What most of these values are; None when that cannot be told. Blank values do not count.

    `told` is what the column's name says: few values that its name does not speak for are not persons or companies.
    Where they say nothing, they are read as the verifier reads them: one e-mail address in base64 makes a text of all.
    """
    sample = [value.strip() for value in values if value and value.strip()]
    if not sample:
        return None
    plain = _plainly(sample, told)
    if plain is not None and plain.kind in _MASKS_ANY_SPELLING:
        return plain
    count = hidden(sample)
    if count and (plain is None or plain.kind in _SAYS_LITTLE or count >= _HIDDEN * len(sample)):
        return Looks("text", max(_HIDDEN, count / len(sample)), f"{count} of {len(sample)} spell an identity otherwise")
    if plain is None and any(map(holds_identity, sample[:_CLOSELY])):
        return Looks("text", _HIDDEN, "some hold an e-mail address or a number of a person")
    return plain


def _plainly(sample: Sequence[str], told: str) -> Looks | None:
    """What the values are as they are written."""
    if _are_national_ids(sample):
        return Looks("national_id", 0.8, f"most of {len(sample)} pass as national ids")
    few = len(set(sample)) < _FEWEST and not any(value[0] in "+(" for value in sample)
    for kind, are, check in _CHECKS:
        if kind == "phone" and few and told != kind:  # as well the numbers of a few goods; a text is searched for them
            continue
        part = sum(map(check, sample)) / len(sample)
        if kind == "phone" and told != kind and part < _NEARLY_ALL and not any(value[0] in "+(0" for value in sample):
            continue
        if part >= _MOST or (part >= _FEW and kind in ("email", "iban", "card", "national_id")):
            return Looks(kind, part, f"{part:.0%} of {len(sample)} {are}")
    seen = _prose(sample)
    if seen is not None and seen.kind in ("person", "company", "username") and told != seen.kind:
        different = set(sample)
        clear = seen.part >= _CLEAR and len(different) > 2
        if len(different) < _FEWEST and not clear and not all(map(is_full_name, different)):
            return None
        if seen.kind == "person" and len(different) < _FEWEST and all(is_place(value.lower()) for value in different):
            return Looks("text", 0.5, "a few towns")
        if seen.kind == "person" and seen.part < _FEW and sum(map(is_full_name, sample)) < _PARTLY_FULL * len(sample):
            return Looks("text", 0.5, seen.why)
        if seen.kind == "person" and seen.part < _FEW and sum(map(_numbered, sample)) >= _NUMBERED * len(sample):
            return Looks("text", 0.6, f"{seen.why}, and numbers of things stand in others")
        if seen.kind == "person" and _titles(sample, seen.part):
            return Looks("text", 0.7, f"{seen.why}, and joined to other words as in titles")
    return seen


def _numbered(value: str) -> bool:
    """Whether a value is called by a number, as an order is and no person."""
    return sum(char.isdigit() for char in value) > 1


def _titles(sample: Sequence[str], part: float) -> bool:
    """Whether so many values join their names to something else that a mask of names would take that, too."""
    joined = sum(_JOINED.search(value) is not None for value in sample)
    return joined >= (_MOSTLY_TITLED if part >= _FEW else _TITLED) * len(sample)


def is_full_name(value: str) -> bool:
    """Two words or more, and all of them names."""
    words = [word for word in _WORD.findall(value.lower()) if word not in TITLES and len(word) > 1]
    return len(words) > 1 and all(is_name(word) and word not in WORDS_FIRST for word in words)


def _prose(sample: Sequence[str]) -> Looks | None:
    different = len(set(sample))
    if different <= _FEW_DIFFERENT and len(sample) >= _REPEATED * different and not persons(set(sample)):
        if any(map(_names_somebody, set(sample))):
            return Looks("text", 0.7, f"only {different} different values, but one names somebody")
        if _given_names(set(sample)):
            return Looks("text", 0.7, f"only {different} different values, but most are names")
        return Looks("keep", 0.8, f"only {different} different values")
    words = sum(len(_WORD.findall(value)) for value in sample) / len(sample)
    parts = {kind: sum(map(check, sample)) / len(sample) for kind, check in _PROSE.items()}
    if parts["company"] >= _SOME and parts["person"] < _MOST:
        return Looks("company", parts["company"], f"{parts['company']:.0%} of {len(sample)} end in a legal form")
    if parts["person"] >= _FEW:
        return Looks("person", parts["person"], f"{parts['person']:.0%} of {len(sample)} are names of the dictionary")
    if parts["address"] >= _PARTLY and words <= _WORDS_OF_AN_ADDRESS:
        return Looks("address", parts["address"], f"{parts['address']:.0%} of {len(sample)} hold a street")
    if words >= _WORDS_OF_A_TEXT:
        return Looks("text", 0.9, f"{words:.0f} words on average")
    if parts["username"] >= _PARTLY:
        return Looks("username", parts["username"], f"{parts['username']:.0%} of {len(sample)} are made of names")
    if parts["person"] >= _SOME:
        return Looks("person", parts["person"], f"{parts['person']:.0%} of {len(sample)} are names of the dictionary")
    return None


def _given_names(values: Set[str]) -> bool:
    """Whether most of a few values are a name each, with a capital, and no word of a list (`Ruby`, `Open`)."""
    from envclone.masking.common_words import is_everyday

    lists = sum(bool(listed([value])) for value in values)
    names = [v for v in values if v[:1].isupper() and is_name(v.lower()) and not is_everyday(v.lower())]
    return len(values) > 1 and not lists and len(names) >= _FEW * len(values)


def _names_somebody(value: str) -> bool:
    """Whether a text, of markup or a list too, holds an e-mail address, or is a full name of the dictionary."""
    plain = _MARKUP.sub(" ", value).strip()
    words = _WORD.findall(plain)
    capitalized = 2 <= len(words) <= 4 and all(word[:1].isupper() for word in words)
    known = capitalized and all(is_name(word.lower()) and word.lower() not in WORDS_FIRST for word in words)
    return known or _EMAIL.search(value) is not None


def persons(values: Set[str]) -> bool:
    """Whether a few values that recur, or an enum's labels, are persons all the same.

    Words without a blank between them (`DOCUMENT_LINK`) are a label's unless each is a name.
    """
    full = [value for value in values if len(_WORD.findall(value)) > 1]
    named = sum(_is_person(value) and (" " in value.strip() or is_full_name(value)) for value in full)
    return bool(full) and len(full) >= _FEW * len(values) and named >= _FEW * len(values)


def _is_person(value: str) -> bool:
    """One to five words, most of them names."""
    if any(c.isdigit() for c in value) or len(value) > 60 or not value[:1].isalpha():
        return False
    words = [word for word in _WORD.findall(value.lower()) if word not in TITLES]
    long = [word for word in words if len(word) > 1]
    if not 1 <= len(words) <= 5 or not long:
        return False
    known = sum(is_name(word) and word not in WORDS_FIRST for word in long)
    return known / len(long) >= (0.5 if len(long) > 1 else 1)


def _is_address(value: str) -> bool:
    return len(value) > 6 and any(c.isdigit() for c in value) and _ADDRESS.search(value) is not None


def _is_company(value: str) -> bool:
    words = _WORD.findall(value.lower())
    return 1 < len(words) <= 8 and words[-1] in FORMS and len(words[-1]) > 1


def _is_phone(value: str) -> bool:
    digits = sum(c.isdigit() for c in value)
    if not 7 <= digits <= 15 or not _PHONE.fullmatch(value) or _DATE.match(value) or _FILED.fullmatch(value):
        return False
    return value[0] in "+(" or value.startswith("0") or bool(re.search(r"\d[\s().\-/]+\d", value))


def _is_card(value: str) -> bool:
    digits = re.sub(r"[ \-]", "", value)
    return digits.isdecimal() and len(digits) in _CARD_DIGITS and digits[0] in "23456" and luhn_valid(digits)


def _is_national_id(value: str) -> bool:
    return scheme_of(value) >= 0 and not value.isdecimal()


def _are_national_ids(sample: Sequence[str]) -> bool:
    """Whether these are digits only, and most pass as numbers of one register."""
    return all(value.isdecimal() for value in sample) and pass_as_ids(sample)


def _is_username(value: str) -> bool:
    if not _USERNAME.fullmatch(value) or len(value) < 4 or value.isupper() or is_name(value.lower()):
        return False
    letters = _WORD.findall(value.lower())
    joined = any(is_name(part[1:]) or is_name(part) for part in letters if len(part) > 3)
    return joined and (len(letters) > 1 or any(c.isdigit() for c in value) or not is_name(letters[0]))


_CHECKS: Sequence[tuple[str, str, Callable[[str], bool]]] = (
    ("email", "are e-mail addresses", lambda v: _EMAIL.fullmatch(v) is not None),
    ("url", "are URLs", lambda v: _URL.fullmatch(v) is not None),
    ("ip", "are IP addresses", is_ip),
    ("mac", "are hardware addresses", lambda v: is_mac(v) and not v.isalnum()),
    ("uuid", "are UUIDs", lambda v: _UUID.fullmatch(v) is not None),
    ("iban", "are IBANs with the right check digits", iban_valid),
    ("card", "are card numbers with the right check digit", _is_card),
    ("national_id", "are national ids with the right check digits", _is_national_id),
    ("date", "are dates", lambda v: _DATE.fullmatch(v) is not None),
    ("phone", "are telephone numbers", _is_phone),
    (
        "secret",
        "look like keys, tokens or hashes",
        lambda v: is_secret(v) and not v.isdecimal() and not _FILE.fullmatch(v),
    ),
    ("json", "are JSON documents", lambda v: _JSON.fullmatch(v) is not None),
)

_PROSE: Mapping[str, Callable[[str], bool]] = {
    "company": _is_company,
    "person": _is_person,
    "address": _is_address,
    "username": _is_username,
}
