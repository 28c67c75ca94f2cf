"""What is known of the tables that columns stand in: which are looked up, and which hold persons."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from envclone.address import Address
from envclone.masking.guesses import by_name, part_of_a_name
from envclone.masking.settings import names_secret
from envclone.models import Field, FieldKind, Inventory
from envclone.scan.found import Holder
from envclone.scan.values import persons

__all__ = ["holders_of"]

_BOOKED = re.compile(r"^(owner|creator)$|^(last_)?(creat|modifi|updat|delet|chang|edit|lock|archiv|publish)ed_by(_|$)")
"""Who made or changed a row: that is booked beside lists and settings too."""
_FEWEST = 2
_SHORT = 60
"""Rows that a table has at most whose rows are a list to choose from."""
_GIVEN = re.compile(
    r"(first|given|fore|f|fst)(_?na?me?)?|vorname|pr[eé]nom|prenume|nombres?|voornaam|f[oö]rnamn|fornavn|imie|ad"
)
_FAMILY = re.compile(
    r"(last|family|sur|l|lst)(_?na?me?)?|nachname|zuname|famil(ienname|ia|le)|nom|apellidos?|cognome|achternaam|"
    r"efternamn|etternavn|nazwisko|soyad"
)
"""What halves of a name are called; some of them mean much else where the other half is not beside them."""
_HALF = re.compile(r"[^\W\d_][^\d_/@:;|]{0,40}")
_SETTING = re.compile(
    r"^(name|key|var|code|property|attribute|param(eter)?|setting|option|config|id|slug|schl(ue|ü)ssel|clave|chave|cl(e|é)|"
    r"clef|chiave|klucz|sleutel|nyckel|n(o|ø)gle|bezeichnung|nombre|nom|naam|nazwa|ident(ifier)?)$|"
    r"(setting|option|config|param(eter)?|property|attribute|meta|auth|variable|env|cfg|secret|credential)_?(name|key|field|id|code)$"
)
_VALUE = re.compile(
    r"(^|_)(val(ue)?(_?(text|txt|str(ing)?|json))?|wert|valor|valeur|valore|wartosc|waarde|v(ä|a)rde|v(æ|ae)rdi)$|"
    r"^(string|text)_val(ue)?$|^(setting|config|data|content)$"
)
_PERSONAL = frozenset(("email", "phone", "username", "iban", "card", "national_id"))


def holders_of(inventory: Inventory, samples: Mapping[str, Sequence[str]]) -> dict[str, Holder]:
    """Per table or collection what its other columns tell; `samples` are some values by address."""
    personal: set[str] = set()
    referred: set[str] = set()
    for address, field in inventory.fields.items():
        holder = Address.parse(address).holder
        if not _BOOKED.search(_plain_name(address)) and _is_personal(field, samples.get(address, ())):
            personal.add(holder)
        others = {Address.parse(other).holder for other in field.group} - {holder}
        if field.unique and others:
            referred.add(holder)
    again = _told_again(inventory, samples)
    referred |= set(again.values())
    listed = {
        holder
        for holder, rows in inventory.rows.items()
        if holder in referred and rows <= _SHORT and holder not in personal
    }
    of_persons = {
        Address.parse(address).holder
        for address, values in samples.items()
        if Address.parse(address).holder in listed and persons({value for value in values if value.strip()})
    }
    refers: dict[str, set[str]] = {}
    for address, other in again.items():
        if other in listed - of_persons:
            refers.setdefault(Address.parse(address).holder, set()).add(address)
    halves = _halves(inventory, samples)
    secrets, settings = _secrets(inventory, samples)
    tokened = {Address.parse(a).holder for a, f in inventory.fields.items() if _is_token(f)}
    return {
        holder: Holder(
            holder in listed - of_persons,
            holder in personal or holder in halves,
            frozenset(refers.get(holder, ())),
            holder in tokened,
            halves.get(holder, frozenset()),
            secrets.get(holder, frozenset()),
            settings.get(holder, {}),
        )
        for holder in inventory.rows
    }


def _halves(inventory: Inventory, samples: Mapping[str, Sequence[str]]) -> dict[str, frozenset[str]]:
    """Per table the columns that are a given and a family name by their names, when there is one of each."""
    named: dict[str, tuple[set[str], set[str]]] = {}
    for address, field in inventory.fields.items():
        if field.kind is FieldKind.TEXT and _are_halves(samples.get(address, ())):
            given, family = named.setdefault(Address.parse(address).holder, (set(), set()))
            for its, pattern in ((given, _GIVEN), (family, _FAMILY)):
                if pattern.fullmatch(_plain_name(address)):
                    its.add(address)
    return {
        holder: frozenset(given | family)
        for holder, (given, family) in named.items()
        if len(given) == len(family) == 1 and given != family
    }


def _secrets(
    inventory: Inventory, samples: Mapping[str, Sequence[str]]
) -> tuple[dict[str, frozenset[str]], dict[str, dict[str, str]]]:
    """Per table of settings the columns of their values: when all keys tell of a password or a token, and, each with
    the name of the column of the keys, when some do."""
    part: dict[str, tuple[float, str]] = {}
    for address, field in inventory.fields.items():
        keys = {key for key in samples.get(address, ()) if key.strip()}
        if keys and field.kind in (FieldKind.TEXT, FieldKind.OTHER) and _SETTING.search(_plain_name(address)):
            its = Address.parse(address)
            found = sum(map(names_secret, keys)) / len(keys), its.name
            part[its.holder] = max(part.get(its.holder, (0.0, "")), found)
    values: dict[str, set[str]] = {}
    for address, field in inventory.fields.items():
        if field.kind in (FieldKind.TEXT, FieldKind.JSON) and _VALUE.search(_plain_name(address)):
            its = Address.parse(address)
            if part.get(its.holder, (0.0, ""))[1] != its.name:
                values.setdefault(its.holder, set()).add(address)
    every = {holder: frozenset(its) for holder, its in values.items() if part.get(holder, (0.0, ""))[0] == 1}
    some = {
        holder: dict.fromkeys(its, part[holder][1])
        for holder, its in values.items()
        if holder not in every and part.get(holder, (0.0, ""))[0]
    }
    return every, some


def _are_halves(values: Sequence[str]) -> bool:
    """Whether values can be given or family names: words that begin with a letter, and no numbers, links or codes."""
    present = [value.strip() for value in values if value.strip()]
    return bool(present) and sum(_HALF.fullmatch(value) is not None for value in present) > 0.9 * len(present)


def _is_token(field: Field) -> bool:
    return field.kind is FieldKind.TEXT and by_name(Address.parse(field.address).name) == "secret"


def _plain_name(address: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", Address.parse(address).name).lower()


def _told_again(inventory: Inventory, samples: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The columns made of the unique texts of another, short table, which no foreign key need say; each with that."""
    lists: dict[str, set[str]] = {}
    for address, field in inventory.fields.items():
        rows = inventory.rows.get(Address.parse(address).holder, 0)
        if field.unique and field.kind is FieldKind.TEXT and 1 < rows <= _SHORT:
            lists[address] = {value for value in samples.get(address, ()) if value.strip()}
    found: dict[str, str] = {}
    for address, field in inventory.fields.items():
        holder = Address.parse(address).holder
        values = [value for value in samples.get(address, ()) if value.strip()]
        different = set(values)
        if field.kind is not FieldKind.TEXT or len(different) < _FEWEST or len(values) < 2 * len(different):
            continue
        for unique, its in lists.items():
            if different <= its and (other := Address.parse(unique).holder) != holder:
                found[address] = other
    return found


def _is_personal(field: Field, values: Sequence[str]) -> bool:
    if field.kind is not FieldKind.TEXT or field.generated:
        return False
    present = [value for value in values if value.strip()]
    if sum("@" in value for value in present) > len(present) / 2:
        return True
    name = Address.parse(field.address).name
    return bool(present) and (by_name(name) in _PERSONAL or part_of_a_name(field.address))
