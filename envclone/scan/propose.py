"""From names, types and sampled values to a rule for every field that has none, each with its reason.

A value leaves as its shape only, and a key of a document that may be a person's not at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from envclone.address import Address, written
from envclone.masking.guesses import UNDECIDED, by_name, guess, looks_like_embedding, removed, unique_too
from envclone.masking.kinds import DATES, KINDS, fits
from envclone.masking.outline import shape
from envclone.models import Field, FieldKind, Inventory
from envclone.scan.documents import REST, are_documents, paths_in
from envclone.scan.forms import labels, logins, nobodys_phrases, phrases, plain_words, sentences, several_words
from envclone.scan.found import Holder, Proposal, Sample
from envclone.scan.links import plain_links, plain_places, services, stored
from envclone.scan.nobodys import IDENTITIES, OFTEN, nobodys, short_signs
from envclone.scan.numbers import counted, pass_as_ids
from envclone.scan.things import called_things, carries_goods, drawn, elsewhere, named_things, of_things, plain_labels
from envclone.scan.told import SHOWN, birthdays, contradicted, names_of, recent_dates, told_by
from envclone.scan.values import Looks, is_full_name, look, persons
from envclone.scan.vocabulary import generated

__all__ = ["Holder", "Proposal", "Sample", "propose", "surest"]

_PARTITIONING = (
    "a part of the partition key, and no mask can move rows to another partition. Keep it, and accept what an image "
    "shows of it under sanitize.accept, or list its values under sanitize.nobody when they are nobody's"
)
_SETTINGS = "some of these settings are passwords or tokens by their keys, whatever they look like"
_NUMERIC = frozenset(("int2", "int4", "int8", "numeric", "float4", "float8", "bool"))
_INTEGERS = frozenset(("int2", "int4", "int8", "numeric"))
_OF_NUMBERS = frozenset(
    ("int4range", "int8range", "numrange", "int4multirange", "int8multirange", "nummultirange", "money")
)
_TELLING = frozenset(("phone", "card", "national_id", "date", "number", "iban"))
_NUMBERS_TOO = frozenset(("keep", "null", "redact", "phone", "card", "integer", "number", "date"))
"""What masks numbers in documents beside texts."""
_LABELS = 100
_DOCUMENTS = ("json", "jsonb")
_NO_KEYS = frozenset(("keep", "text", "json", "date", "url", "uuid"))
_FEWEST_KEYS = 3
_SHORT_NUMBER = 6
"""Keys of documents from which on they are taken for names."""


_KEPT_BY_NAME = {
    "vectors": "a vector can be inverted in part: kept only by this decision",
    "words": "its words can be read back: kept only by this decision",
    "ids": "point ids can be somebody's number: kept only by this decision",
}


def propose(
    field: Field,
    samples: Mapping[str, Sample],
    second: Mapping[str, Looks] | None = None,
    keys: Mapping[str, Sequence[str]] | None = None,
    holder: Holder | None = None,
) -> list[Proposal]:
    """The proposals for one field: one, or for JSON one per path.

    `samples` are values by path ('' is the field itself), `second` what another recognizer says of them, `keys` those
    of the field's documents that may be persons', each under the path that means them (`$.shares.*`).
    """
    named = field.holds[0].what if _only_by_name(field) else "vectors" if field.kind is FieldKind.VECTOR else ""
    if named or (looks_like_embedding(field) and not field.opaque):
        why = _KEPT_BY_NAME[named] if named else f"called like an embedding: {_KEPT_BY_NAME['vectors']}"
        return [Proposal(field.address, "", field.type, "keep", 1.0, why, "", named or "vectors")]
    if holder is not None and field.address in holder.settings:
        by = written([holder.settings[field.address]])
        its = [text for one in samples.values() for text in one.texts]
        if not field.unique:
            why = _SETTINGS
            return [Proposal(field.address, "", field.type, "setting", 0.7, why, _example(its), base=field.base, by=by)]
    if field.kind is FieldKind.JSON and samples:
        found = [_one(field, path, sample, second or {}, holder) for path, sample in sorted(samples.items())]
        held = {one.path: one.what for one in field.holds}
        named_keys = [_of_keys(field, path, its) for path, its in sorted((keys or {}).items())]
        return [
            *(
                replace(one, domain="keep", why=_KEPT_BY_NAME[held[one.path]], shape="") if one.path in held else one
                for one in found
            ),
            *(one for one in named_keys if one is not None),
        ]
    sample = samples.get("", Sample())
    one = _one(field, "", sample, second or {}, holder)
    if field.partitioning and one.personal:
        return [replace(one, domain=UNDECIDED, confidence=0.3, why=f"{one.domain}: {_PARTITIONING}")]
    if one.domain == "json" and field.kind is FieldKind.TEXT and are_documents(sample.texts):
        return _inside(field, one, sample, holder)
    return [one]


def _inside(field: Field, whole: Proposal, sample: Sample, holder: Holder | None) -> list[Proposal]:
    """For a text of documents a rule for each key that tells of an identity, and the mask of texts for the rest.

    What is told by its key alone (`smtp_password`) no mask of texts finds.
    """
    document = replace(field, kind=FieldKind.JSON, unique=False)
    found = [_one(document, path, its, {}, holder) for path, its in sorted(paths_in(sample.texts).items())]
    told = [one for one in found if one.domain in IDENTITIES and _tells(one)]
    return [*told, replace(whole, path=REST, domain="text")] if told else [whole]


def _tells(one: Proposal) -> bool:
    """Whether the key of a path in a document tells what is proposed for it."""
    keys = re.findall(r"[^.\[\]'\"*$]+", one.path)
    return bool(keys) and by_name(keys[-1], keys[-2] if len(keys) > 1 else "") == one.domain


def surest(proposals: Sequence[Proposal], inventory: Inventory) -> list[Proposal]:
    """Of fields tied by foreign keys the surest proposal for a mask counts for all; the others need no rule."""
    out: list[Proposal] = []
    told: set[str] = set()
    by_address = {one.address: one for one in proposals if not one.path}
    for one in proposals:
        field = inventory.fields[one.address]
        tied = [by_address[a] for a in sorted(field.group | {one.address}) if a in by_address]
        if one.path or len(tied) < 2:
            out.append(one)
        elif one.address not in told:
            told.update(other.address for other in tied)
            apart = any(inventory.fields[other.address].unique for other in tied)
            personal = [other for other in tied if other.personal and not (apart and _makes_equal(other))]
            out.append(max(personal or tied, key=lambda one: (inventory.fields[one.address].unique, one.confidence)))
    return out


def _makes_equal(one: Proposal) -> bool:
    """Whether a proposal could make different keys equal, as a mask of texts does: what refers follows the key then."""
    return one.domain in KINDS and not KINDS[one.domain].injective


def _only_by_name(field: Field) -> bool:
    """Whether all that the field holds is kept by name, such as point ids; a tsvector is computed again instead."""
    return bool(field.holds) and field.holds[0].path == "" and field.base != "tsvector" and not field.opaque


def _of_keys(field: Field, path: str, keys: Sequence[str]) -> Proposal | None:
    """A mask for the keys of members that look like persons'; None when they look like nobody's."""
    seen = look(keys)
    guessed = seen is not None and seen.kind in ("person", "username", "company") and len(keys) < _FEWEST_KEYS
    if seen is not None and not guessed and seen.kind in KINDS and seen.kind not in _NO_KEYS:
        domain, why = seen.kind, f"of the keys {seen.why}"
    elif any("@" in key for key in keys):
        domain, why = "email" if all("@" in key for key in keys) else "text", "some keys are e-mail addresses"
    else:
        return None
    return Proposal(field.address, f"{path}~", field.type, domain, 0.6, why, _example(keys), base=field.base)


def _one(
    field: Field, path: str, sample: Sample, second: Mapping[str, Looks], holder: Holder | None = None
) -> Proposal:
    told = told_by(field, path, sample)
    if not path and told in ("", "keep") and _CODE.search(Address.parse(field.address).name) and _opens(field):
        told = "secret"  # the code of a reset or of an invitation
    if told in ("", "keep") and not field.group - {field.address} and elsewhere(sample.texts):
        told = "key"
    if told == "iban" and sample.texts and not any(_ACCOUNT.fullmatch(text.strip()) for text in sample.texts):
        told = "key"  # the number of an account here, and of no bank
    if told in (*_CALLED, "username") and generated(sample.texts):
        told = "keep"  # `createdBy` is the key of somebody's row
    if not path and holder is not None and field.address in holder.halves:
        example = _example(sample.texts)
        why = "half of a name, as the other half is beside it"
        return Proposal(field.address, "", field.type, "person", 0.7, why, example, base=field.base)
    if not path and holder is not None and field.address in (holder.secrets | holder.settings.keys()):
        why = "values of settings, all of which are passwords or tokens by their keys"
        return Proposal(field.address, "", field.type, "secret", 0.6, why, _example(sample.texts), base=field.base)
    seen = look(sample.texts, told) if _has_text(field) else None
    other = second.get(path)
    beside = holder or Holder()
    where = Holder() if path else beside
    told = "" if contradicted(field, path, sample, told, seen, where) else told
    words = (
        seen is not None
        and seen.kind in ("person", "username")
        and told not in IDENTITIES
        and plain_words(sample.texts, recurring=holder is not None and holder.personal)
    )
    seen = None if words else seen
    kept = nobodys(field, sample, told, seen, where, path) if _has_text(field) else None
    domain, confidence, why = kept or _decide(field, path, sample, told, seen, other, where, beside)
    if words and kept is None:
        confidence, why = min(confidence, 0.5), f"a few words in lower case, some of them names: {why}"
    if path and ".*" in path and domain in _FORMED and len(set(sample.texts)) < _FEW_LINKS:
        domain, why = "text", f"{why}; the path stands for any key, and few values were seen"
    example = "" if domain == "keep" else _example([*sample.texts, *sample.numbers])
    if path and any(sample.texts) and sample.numbers and domain not in _NUMBERS_TOO:
        path = f"{path}.**"  # below itself as well: numbers that stand there stay
    return Proposal(field.address, path, field.type, domain, round(confidence, 2), why, example, base=field.base)


def _decide(
    field: Field,
    path: str,
    sample: Sample,
    told: str,
    seen: Looks | None,
    other: Looks | None,
    holder: Holder,
    beside: Holder,
) -> tuple[str, float, str]:
    """The domain, how sure it is, and why; `beside` is the holder also where `holder` is not known, in documents."""
    if path and not any(sample.texts):
        if sample.texts and told in IDENTITIES:
            return told, 0.6, "its name; every value is empty"
        return _number_in_json(sample, told, names_of(field, path)[0], beside)
    if not _has_text(field) and not path:
        return _by_type(field, sample, holder)
    if seen is not None and seen.kind == "uuid" and told != "secret" and not _opens(field):
        return "keep", 0.7, f"{seen.why}, which are kept as in columns of the type uuid"
    opens = _opens(field) and not (holder.tokened and Address.parse(field.address).name.lower().strip("_") == "id")
    if seen is not None and seen.kind == "ip" and _VERSION.search(names_of(field, path)[0].lower()):
        return "keep", 0.7, "versions by their name"
    if (
        (path or len(sample.texts) >= _RECURS * len(set(sample.texts)))
        and told in ("", "keep")
        and seen is not None
        and seen.kind == "secret"
        and not opens
        and _numbers(field, path, sample)
    ):
        return "keep", 0.6, "hexadecimal numbers of things, as their name says"
    if told == "keep" and (seen is None or seen.kind in _ALIKE) and not opens and generated(sample.texts):
        return "keep", 0.7, "keys that a program made, as its name says"
    row_key = not path and field.unique and _ROW_KEY.fullmatch(Address.parse(field.address).name.lower()) is not None
    if row_key and told in ("", "keep", "person") and not _opens(field) and drawn(sample.texts):
        return "keep", 0.6, "keys that a program drew, as its name says"
    if told in _CALLED and not holder.personal and phrases(sample.texts) and (seen is None or seen.part < OFTEN):
        said = "persons" if told == "person" else "companies"
        return _fitting(field, path, "text"), 0.5, f"its name tells of {said}, and its values are phrases in lower case"
    if (
        seen is not None
        and seen.kind == "date"
        and told != "date"
        and recent_dates(names_of(field, path)[0], sample.texts)
    ):
        return "keep", 0.6, f"{seen.why} of the last years, and its name tells of no birthday"
    if seen is not None and (soft := _softer(field, sample, told, seen, holder, path)):
        if seen.kind == "url" and field.unique and not path:
            return "keep", 0.5, f"{seen.why}; {soft}: no mask of texts keeps them apart"
        return _fitting(field, path, "text"), 0.5, f"{seen.why}; {soft}"
    name = names_of(field, path)[0]
    wordy = seen is None or seen.kind in ("text", "keep")
    if told == "url" and wordy and stored({text.strip() for text in sample.texts if text.strip()}):
        return _fitting(field, path, "text"), 0.5, "places in a store of objects, of plain words"
    if told == "url" and wordy and services(name) and plain_links(set(filter(str.strip, sample.texts)), name):
        return _fitting(field, path, "text"), 0.5, "links of plain words to services"
    if told == "keep" and seen is not None and seen.kind == "person" and logins(sample.texts):
        domain, confidence, why = "username", 0.6, f"{seen.why}, written as logins are"
    elif seen is not None and seen.kind != "keep" and not (seen.kind == "person" and told in _OTHER_NAMES):
        domain, confidence, why = seen.kind, 0.6 + 0.35 * seen.part, seen.why
        if told == domain:
            confidence, why = min(0.99, confidence + 0.05), f"{why}, and its name says so"
        elif told in _FORMED and _spoken(domain, sample.texts):
            confidence, why = 0.7, f"{why}, whatever its name says"
        elif domain in ("text", "username", "person") and told not in ("", "keep", "text"):
            domain, confidence, why = told, 0.75, f"its name; {seen.why}"
    elif other is not None and told in ("", "text") and (other.kind != "national_id" or _papers(path, sample, beside)):
        # without a scheme what looks like a URL to Presidio is the name of a file as well
        domain, confidence, why = "text" if other.kind == "url" else other.kind, 0.5 + 0.3 * other.part, other.why
    elif told in ("url", "key") and not any(map(str.strip, sample.texts)):
        domain, confidence, why = "text", 0.5, "every value is empty"
    elif told == "url" and not holder.personal and plain_links(set(filter(str.strip, sample.texts)), "base_url"):
        domain, confidence, why = "text", 0.5, "links of plain words, and nobody stands beside them"
    elif told and told != "keep":
        domain, confidence, why = told, 0.7, "its name"
    elif told == "keep" and seen is None and several_words(sample.texts):
        domain, confidence, why = "text", 0.5, "many different values of several words, whatever its name says"
    elif told == "keep" or (seen is not None and seen.kind == "keep"):
        domain, confidence, why = "keep", 0.7 if seen is None else 0.8, seen.why if seen is not None else "its name"
    else:
        domain, confidence, why = "text", 0.4, "nothing is known of it: free text is the safe choice"
    if domain == "text" and field.unique and not path and sample.texts and not any(map(str.strip, sample.texts)):
        return "keep", 0.5, "every value is empty"
    if domain == "text" and field.unique and not path and plain_places(sample.texts):
        return "keep", 0.5, "paths and links of plain words: no mask of texts keeps them apart"
    if domain == "text" and field.unique and not path and labels(sample.texts):
        return "keep", 0.5, "labels that recur, unique only beside another column: no mask of texts keeps them apart"
    if (
        domain == "text"
        and field.unique
        and not path
        and sample.whole
        and not _opens(field)
        and plain_labels(sample.texts, strictly=holder.personal)
    ):
        return "keep", 0.6, "labels of everyday words, and nobody is found in them: no mask of texts keeps them apart"
    if (
        domain == "text"
        and field.unique
        and not path
        and seen is None
        and short_signs(sample, personal=holder.personal)
        and not _opens(field)
    ):
        return "keep", 0.5, "short signs of a short table, and nobody is found in them"
    if domain == "text" and field.unique and not path and not _opens(field) and nobodys_phrases(sample.texts):
        return "keep", 0.5, "phrases that differ, and nobody is found in them: no mask of texts keeps them apart"
    return _fitting(field, path, domain), confidence, why


def _softer(field: Field, sample: Sample, told: str, seen: Looks, holder: Holder, path: str) -> str:
    """Why values are texts and no names or links, though most look like some; '' when they do not."""
    texts = [text for text in sample.texts if text.strip()]
    different = set(texts)
    if seen.kind in ("person", "username", "company") and 2 * sum("\n" in text.strip() for text in texts) > len(texts):
        return "of several lines each, such as a name above what somebody does"
    if seen.kind == "person" and not path and sentences(texts):
        return "and other words in lower case stand beside them"
    name = names_of(field, path)[0]
    if seen.kind in ("person", "username") and told not in IDENTITIES:
        if of_things(different):
            return "and everyday words stand in others, as in the names of goods and services"
        if called_things(name) and (named_things(different) or len(different) == 1):
            return "and their name tells of things"
    shown = SHOWN.search(Address.parse(field.address).name) and not holder.personal and not path
    rare = seen.part < OFTEN or len(texts) >= _RECURS * len(different)
    if shown and rare and seen.kind == "person" and sum(map(is_full_name, different)) * 6 < len(different):
        return "single words, and nobody stands beside them"
    if seen.kind == "url" and len(texts) >= _RECURS * len(different) and len(different) <= _FEW_LINKS:
        return "the same few again and again"
    if seen.kind == "url" and (not holder.personal or services(name)) and plain_links(different, name):
        return "of plain words on the same few hosts"
    return ""


def _numbers(field: Field, path: str, sample: Sample) -> bool:
    """Whether these are hexadecimal numbers of one length, called as what things are told apart by."""
    present = {value.strip() for value in sample.texts if value.strip()}
    called = _THING_KEY.search(names_of(field, path)[0]) is not None and not _SESSION.search(path.lower())
    return called and len({len(value) for value in present}) == 1 and all(map(_HEX.fullmatch, present))


def _is_elsewhere(field: Field) -> bool:
    """Whether an integer is called as what another service calls somebody by: `subject_id`."""
    return by_name(Address.parse(field.address).name) == "key"


def _papers(path: str, sample: Sample, holder: Holder) -> bool:
    """Whether numbers that only Presidio takes for a state's can be: beside a person, and not counted by a program.

    Digits alone have to have the check digits of a register.
    """
    present = [text.strip() for text in sample.texts if text.strip()]
    checked = not all(map(str.isdecimal, present)) or pass_as_ids(present)
    return bool(path or holder.personal) and checked and not counted(sample.texts)


def _spoken(domain: str, texts: Sequence[str]) -> bool:
    """Whether values are names or sentences of several words each: no address or number is written so."""
    present = [text for text in texts if text.strip()]
    least = {"person": 2, "text": 3}.get(domain, 0)
    return bool(least) and sum(len(text.split()) >= least for text in present) > len(present) / 2


_FORMED = frozenset(("email", "phone", "iban", "card", "ip", "mac", "url", "national_id", "username"))
"""What has a form of its own, without blanks or without letters."""
_RECURS = 3
_FEW_LINKS = 12
_CALLED = frozenset(("person", "company"))
"""What phrases are not, whatever their column is called."""
_SESSION = re.compile(r"session|token|invit|reset|cookie|share_?id|api_?keys?$")
_ROW_KEY = re.compile(r"_?id|name|uid|guid|pk|oid|key|docname|(public|short|nano|hash|object)_?id")
_VERSION = re.compile(r"version|release|revision|build")
_MEASURE = re.compile(
    r"(^|_)(size|bytes|length|duration|width|height|offset|lag|rows?|tuples|pages|blocks|quota|usage|capacity|limit|total|"
    r"amount|price|cents|quantity|qty|balance|views|hits|ms|millis|seconds|nanos|ticks|epoch|lsn|xid|seed|bits?)$"
)
"""What is measured or counted, and no register's number however long it is."""
_THING_KEY = re.compile(r"(^|_)(id|uid|name|ref|instance_?id|eui|oid|(payload|frame|raw|data)_?hex)$|(?<=[a-z])Id$")
_HEX = re.compile(r"[0-9a-f]{8,64}|[0-9A-F]{8,64}")
_REFERS = re.compile(r".+(?:_i|I)d$")
_ACCOUNT = re.compile(r"[A-Za-z]{2}\d{2}[\w ]{8,40}|[\d \-./X*]{4,24}")
_SPOT = frozenset(("point", "geometry", "geography"))
_OF_SOMEBODY = re.compile(r"home|location|position|coord|geo|address|place|lives|whereabouts|last_seen")
_CODE = re.compile(r"(?i)(^|_)(code|number|key|pin|otp)$")
_ALIKE = frozenset(("secret", "username", "keep", "uuid", "text"))
"""What random characters are taken for."""


def _opens(field: Field) -> bool:
    """Whether a field is a session's or a token's, by its name or its table's: who knows it is let in.

    What is tied to another field, or called as what refers to one is (`user_id`), is that one's key.
    """
    if field.group - {field.address}:
        return False
    *holder, name = Address.parse(field.address).parts[-2:]
    of_table = not _REFERS.fullmatch(name) and any(_SESSION.search(part.lower()) for part in holder)
    return of_table or _SESSION.search(name.lower()) is not None


_OTHER_NAMES = frozenset(("keep", "address", "company"))
"""What a name can say that the dictionary must not outvote: towns and firms are called like persons."""


def _by_type(field: Field, sample: Sample, holder: Holder) -> tuple[str, float, str]:
    """For what is not text: by its type, its name, and for integers by what passes as somebody's number."""
    domain = guess(field)
    base = field.base.removesuffix("[]")
    if field.opaque and sample.whole and not any(text.strip("{}[] ") for text in sample.texts):
        if domain == "null" and not sample.texts:
            return domain, 0.5, f"no row has a value: nothing is lost, and nothing here can look into {field.type}"
        return "keep", 0.5, f"every value is empty; nothing here can look into {field.type} when one is not"
    if field.opaque:
        return domain, 0.5, f"nothing here can look into the type {field.type}"
    if base in _SPOT and holder.personal and _OF_SOMEBODY.search(_snake(field)):
        return removed(field), 0.6, "where somebody is, by its name"
    if base in _INTEGERS and pass_as_ids(sample.texts) and not _MEASURE.search(_snake(field)):
        for fitting in ("integer", "redact"):
            if fits(fitting, field) and (KINDS[fitting].injective or not field.unique):
                return fitting, 0.7, "most of these numbers pass as national ids"
        return removed(field), 0.7, "most of these numbers pass as national ids"
    if (
        domain == "integer"
        and (_is_elsewhere(field) or _REFERS.search(_snake(field)))
        and all(len(text) <= _SHORT_NUMBER for text in sample.texts)
    ):
        return "keep", 0.7, "short numbers: of rows here, and not what another service calls somebody by"
    if base not in _NUMERIC and domain == "keep" and persons(set(sample.texts)):
        return removed(field), 0.7, "its values are names of persons"
    if base in _OF_NUMBERS and pass_as_ids([n for text in sample.texts for n in _digits(text)]):
        return removed(field), 0.7, "most of its numbers pass as national ids"
    *table, name = Address.parse(field.address).parts
    if domain == "number" and "weight" in name.lower() and (not holder.personal or carries_goods(table[-1:])):
        return "keep", 0.7, "a weight of goods"
    if base in _NUMERIC and domain not in (*_TELLING, "integer", "redact"):
        return "keep", 0.7, f"a number of type {field.type}"
    if domain == "keep" and field.kind is not FieldKind.TEXT and "." in field.type and _are_labels(sample.texts):
        return "keep", 0.75, f"labels of {field.type}"
    if base == "date" and domain == "keep" and holder.personal and birthdays(sample.texts):
        return (
            unique_too("date", field),
            0.6,
            "days of many years, most of them long ago, beside persons",
        )
    known = base in DATES or (base == "uuid" and (field.unique or bool(field.group)))
    sure = 0.8 if domain != "keep" else 0.7 if known else 0.6
    return domain, sure, f"its name and its type {field.type}"


def _snake(field: Field) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", Address.parse(field.address).name).lower()


def _are_labels(texts: Sequence[str]) -> bool:
    """Whether these are a type's labels, as far as their form tells: a few, without numbers."""
    return 0 < len(set(texts)) <= _LABELS and not any(re.search(r"\d{4}", text) for text in texts)


def _digits(text: str) -> list[str]:
    """The integers in a range's or an amount's text; the upper bound of integers is one too high."""
    plain = re.sub(r"\.\d{1,2}(?!\d)", "", text.replace(",", "" if "$" in text else " "))
    return re.findall(r"\d{7,19}", plain)[:1]


def _number_in_json(sample: Sample, told: str, name: str, holder: Holder) -> tuple[str, float, str]:
    if "weight" in name.lower() and not holder.personal:
        return "keep", 0.7, "a weight of goods"
    if sample.numbers and pass_as_ids(sample.numbers):
        return "redact", 0.7, "most of these numbers pass as national ids"
    if sample.numbers and told in _TELLING:
        return ("number" if told == "number" else "redact"), 0.7, "its name"
    return "keep", 0.7, "no text"


def _fitting(field: Field, path: str, domain: str) -> str:
    if path:
        return domain
    if field.kind is FieldKind.ARRAY and field.base.removesuffix("[]") in _DOCUMENTS and domain != "keep":
        return "json"
    if field.kind is not FieldKind.JSON and not fits(domain, field):
        return removed(field)
    return unique_too(domain, field)


def _has_text(field: Field) -> bool:
    return field.kind in (FieldKind.TEXT, FieldKind.JSON) or (
        field.kind is FieldKind.ARRAY
        and field.base.removesuffix("[]") in ("text", "varchar", "bpchar", "citext", "name", *_DOCUMENTS)
    )


def _example(values: Sequence[str]) -> str:
    """The shape of one value; '' when none can be shown."""
    return next((outline for value in values if (outline := shape(value))), "")
