"""What a field's name tells of it, unless its values say that the name means something else."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from envclone.address import Address
from envclone.masking.common_words import is_common
from envclone.masking.guesses import by_name
from envclone.masking.names import is_name
from envclone.models import Field
from envclone.scan.found import Holder, Sample
from envclone.scan.things import of_things
from envclone.scan.values import Looks, is_full_name
from envclone.scan.vocabulary import identifiers

__all__ = ["SHOWN", "birthdays", "contradicted", "names_of", "recent_dates", "sums", "told_by"]

SHOWN = re.compile(r"(?i)display_?name$")
"""What anything is shown as, a product too."""
_SOMEBODY = re.compile(r"(?i)(user|customer|author|owner|agent|contact|member|employee|person|sender|profile|client)_?")
_ENOUGH = 20
"""Values from which on it tells something that none has the form that the name tells of."""
_FEW_NAMED = 5
_RECURS = 5
"""How often each of a few words stands there on average."""
_FIRM = re.compile(
    r"\b(S\.?A\.?(S\.?)?|S\.?L\.?|B\.?V\.?|G\.?m\.?b\.?H|AG|Inc|LLC|Ltd|Corp|Foundation|Contributors|Team)\b"
)
"""What firms are called by."""
_FEWEST = 8
"""Different values from which on they tell something."""
_SHORTEST = 2
_FORMS: Mapping[str, Callable[[str], object]] = {
    "email": lambda v: "@" in v,
    "phone": re.compile(r"(?:\D*\d){5}").match,
    "url": re.compile(r"[./]").search,
    "iban": re.compile(r"\d").search,
    "card": re.compile(r"\d").search,
    "national_id": re.compile(r"\d").search,
}
"""What any value of a kind has, in whatever country and spelling."""
_TIME = re.compile(
    r"(?i)dt$|dat(um|e)?$|date|time|(^|_)(at|on|day|week|month|since|until|from|to|start|end|begin|due|due_?by)$|(start|end)s?_|expir|"
    r"(creat|updat|modifi|publish|delet)ed|period|[a-z]At$"
)
_YEAR = re.compile(r"(\d{4})-|\d{1,2}[./]\d{1,2}[./](\d{4})")
_OF_NOW = range(2000, 2070)
"""Years of what a program wrote down; birthdays of grown-ups lie before."""
_GROWN = 2010
_FORMLESS = frozenset(("company", "person", "username", "address"))
_ANY_NAME = re.compile(r"nom|nombre")
_COLUMN = re.compile(r"[a-z]+(?:_[a-z]+)*")
_GENERATION = 25
"""Years that people beside each other are apart; what a program wrote down hardly goes back so far."""
_SUM = re.compile(
    r"(^|_)(checksum|etag|crc_?32|md5|sha_?(1|256|384|512))((_?(sum|hash|digest))?)$|"
    r"(^|_)(content|file|blob|body|row|schema|index|chunk|embedd?(ed|ing)|image|variation|variant|document|source|"
    r"inalterable|integrity|chain|prev(ious)?|block|line|entry|record|event|query|plan|template|config|build|layer)_?"
    r"(hash|digest|checksum|fingerprint|sha256|md5)$|(^|_)sha$|"
    r"(^|_)(huella_(verifactu|fichero|documento|registro)|prev_?hash|row_?digest)$"
)
_SUM_OF_FILE = re.compile(
    r"(^|_)(file|blob|chunk|segment|node|embedd?ing|image|attachment|document|upload|asset|media|object|page|commit|"
    r"git|build|schema|migration)_?(hash|digest|checksum|fingerprint|md5|sha_?(1|256|512))$|^(checksum|etag|md5|sha256)$"
)
_OF_DOORS = re.compile(r"token|secret|passw|session|cookie|api_?key|otp|invit|reset|recovery")
"""Of what lets somebody in a checksum is not of contents."""
_HASHES = frozenset(("hash", "digest", "sha1", "sha256", "sha512", "fingerprint", "content_hash"))
_FILES = re.compile(
    r"(file|upload|attachment|document|blob|media|asset|chunk|segment|image|migration|object|version|memor(y|ie)|embedding|"
    r"cache|snapshot|prompt|question|alert|error|issue|exception|incident|crash|job|query)s?$"
)
_HEXADECIMAL = re.compile(r"(?:\$?\d{1,2}[$:])?[0-9A-Fa-f]{8,128}|[A-Za-z0-9+/_-]{20,90}={0,2}")


def names_of(field: Field, path: str) -> tuple[str, str]:
    """The name that tells of a value, and that of what holds it."""
    keys = [*Address.parse(field.address).parts, *re.findall(r"[^.\[\]'\"*$]+", path)]
    return keys[-1], keys[-2] if len(keys) >= _SHORTEST else ""


def told_by(field: Field, path: str, sample: Sample) -> str:
    """The domain that a field's name tells of, unless none of many values has the form of one."""
    told = by_name(*names_of(field, path))
    form = _FORMS.get(told)
    present = [value for value in sample.texts if value.strip()]
    enough = len(present) >= _ENOUGH or len(set(present)) >= _FEWEST
    return "" if form is not None and enough and not any(map(form, present)) else told


def contradicted(field: Field, path: str, sample: Sample, told: str, seen: Looks | None, holder: Holder) -> bool:
    """Whether the values of a field are no names, of persons or firms, though it is called as what holds some.

    What a fee or a plan is shown as is no person's name; and names of firms hardly recur in the firms' own table.
    """
    different = {value.strip() for value in sample.texts if value.strip()}
    name = names_of(field, path)[0]
    if told in _FORMLESS and 0 < len(different) <= _FEW_NAMED and all(map(_is_column, different)):
        return True  # what columns are imported as: `{"Firma": "company"}`
    if told == "person" and not path and not holder.personal and _ANY_NAME.fullmatch(name.lower()):
        return seen is None or seen.kind != "person"  # the French and Spanish word for the name of anything
    anybody = not path and not holder.personal and not _SOMEBODY.match(name)
    if told == "person" and anybody and of_things(different):
        return sum(map(is_full_name, different)) * 2 < len(different)  # `United States dollar`
    if told == "key" and not path and _recurring_words(sample):
        return True  # `local`, `default`: what another service calls somebody by differs for each
    if told == "company" and seen is not None and seen.kind == "keep":
        return name.lower() == "name"
    if told == "person" and not holder.personal and not path and sample.whole and len(different) <= _FEW_NAMED:
        words = [word.lower() for value in different for word in re.findall(r"[^\W\d_]+", value)]
        if different and all(value.isascii() for value in different) and not any(map(is_name, words)):
            # `Acme Commerce` or `Acme S.A.` is the author of a program
            return any(map(is_common, words)) or all(map(_FIRM.search, different))
    if told != "person" or path or holder.personal or not SHOWN.search(name) or _SOMEBODY.match(name):
        return False
    named = seen is not None and seen.kind == "person"
    latin = all(value.isascii() for value in different)
    few = len(different) < _FEWEST
    known = few and (not sample.whole or len(different) < _SHORTEST or any(map(_names, different)))
    return not named and latin and not known and sum(map(is_full_name, different)) * 6 < len(different)


def _recurring_words(sample: Sample) -> bool:
    """Whether these are a few everyday words or a program's names, again and again."""
    present = [value.strip() for value in sample.texts if value.strip()]
    different = set(present)
    words = [word.lower() for value in different for word in re.findall(r"[^\W\d_]+", value)]
    few = 0 < len(different) <= _FEW_NAMED and len(present) >= _RECURS * len(different)
    return few and bool(words) and identifiers(different) and not any(map(is_name, words))


def _is_column(value: str) -> bool:
    """Whether a value is what a column of the kind is called, and nothing that stands in one."""
    return _COLUMN.fullmatch(value) is not None and by_name(value) not in ("", "keep", "text")


def birthdays(texts: Sequence[str]) -> bool:
    """Whether these days are spread over the years in which grown-ups were born, whatever their column is called."""
    years = sorted(int(found[1] or found[2]) for text in set(texts) if (found := _YEAR.search(text)))
    if len(years) < _FEWEST:
        return False
    middle = years[len(years) // 2]
    return middle < _GROWN and years[-1] - years[0] >= _GENERATION and middle - years[0] >= _GENERATION // 3


def _names(value: str) -> bool:
    return any(is_name(word.lower()) for word in re.findall(r"[^\W\d_]+", value))


def sums(field: Field, path: str, sample: Sample, *, personal: bool) -> bool:
    """Whether a field is called a checksum of contents, and its values are as those are written.

    Beside somebody (`personal`) only that of a file or of a piece of one counts.
    """
    *holder, name = (re.sub(r"(?<=[a-z])(?=[A-Z])", "_", part).lower() for part in Address.parse(field.address).parts)
    if path:
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", names_of(field, path)[0]).lower()
    table = holder[-1] if holder else ""
    hashed = _SUM_OF_FILE.search(name) is not None or (name in _HASHES and _FILES.search(table) is not None)
    of_file = hashed and by_name("name", table) != "person"
    called = of_file or (not personal and _SUM.search(name) is not None)
    called = called and _OF_DOORS.search(name) is None
    present = [value for value in sample.texts if value.strip()]
    return called and bool(present) and all(map(_HEXADECIMAL.fullmatch, present))


def recent_dates(name: str, texts: Sequence[str]) -> bool:
    """Whether these are days on which something happened: called so, and all of the last years."""
    years = [int(found[1] or found[2]) for text in texts if (found := _YEAR.search(text))]
    present = sum(map(bool, map(str.strip, texts)))
    grown = bool(years) and max(years) >= _GROWN
    return _TIME.search(name) is not None and grown and len(years) == present and all(y in _OF_NOW for y in years)
