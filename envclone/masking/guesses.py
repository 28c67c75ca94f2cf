"""Which rule to propose for a field that has none, from its name and its type."""

from __future__ import annotations

import re

from envclone.address import Address
from envclone.masking.kinds import KINDS, fits
from envclone.models import Field, FieldKind

__all__ = [
    "UNDECIDED",
    "by_name",
    "guess",
    "guess_path",
    "looks_like_embedding",
    "part_of_a_name",
    "removed",
    "unique_too",
]

_SPOKEN = (
    r"pass_?phrase|pass_?code|(^|_)pwd($|_)|kennwort|geheim|contrase(n|ñ)a|(^|_)clave_(secreta|privada|api|acceso|comercio)|"
    r"(^|_)senha|segredo|secreto|mot_?de_?passe|(^|_)mdp$|has(l|ł)o$|wachtwoord|l(o|ö)senord|adgangskode|salasana|"
    r"(^|_)heslo|jelsz(o|ó)|(api|zwei_?faktor|privat(er)?|zugangs|master)_?schl(ue|ü)ssel|"
    r"(signing|encryption|shared|access|master|service|license|licence|auth|app|nwk|network|webhook|account|storage|"
    r"pagerduty|sendgrid|mailgun|stripe|openai|anthropic|redis|db|root|host|ssh|tls|ssl)_key$|(^|_)(psk|hmac(_key)?)$|"
    r"(?<!gpio)(?<!led)(?<!map)(?<!input)(?<!output)(^|_)p(in|uk)_?\d?$|(^|_)cv[vc]2?$|(^|_)pin_?code$|"
    r"(gate|door|alarm|entry|access|safe|unlock|security)_?code$|(recovery|backup)_?codes?$|"
    r"(^|_)encrypted$|^encrypted_|ciphertext|memorable_?(word|info|phrase)|"
    r"(security|secret)_?(answer|word)$"
)
"""What passwords, PINs and keys are called in several languages, beside `secret`."""
_LETS_IN = re.compile(rf"(passw(or[dt])?|secret|token|api_?key|private_?key)$|{_SPOKEN}")
"""What ends so is a secret, whatever it is of: `mail_password`."""
_BY_NAME = (
    ("email", re.compile(r"e_?mail|^mail$|_mail$|^mail_|correo")),
    (
        "phone",
        re.compile(
            r"phone|mobile|m(o|ó)vil$|celular|(^|_)mobil(_?nr|_?nummer)?$|^fax|_fax$|^tel$|^tel_|_tel$|^cell$|msisdn|telefon|handy|whatsapp"
        ),
    ),
    ("username", re.compile(r"user_?name$|^login$|_login$|^nick|_handle$|^handle$|screen_?name|^account$")),
    (
        "company",
        re.compile(
            r"company|employer|raz(o|ó)n_?social|ragione_?sociale|raison_?sociale|(^|_)empresa$|firmenname|arbeitgeber|bedrijfsnaam|nazwa_firmy|organi[sz]ation(_?name)?$|^firm$|(^|_)firma|business_?name"
        ),
    ),
    (
        "person",
        re.compile(
            r"(first|last|full|given|family|sur|middle|maiden|display|contact|customer|user|owner|author|employee|"
            r"recipient|sender|patient|holder)_?name|^surname$|^author$|^recipient$|^contact$|^owner$|^assignee$|"
            r"^(created|updated|modified|approved|signed|reported|assigned)_by$|^vorname$|^nachname$|nom(br)?e_?completo$|geburtsname|ansprechpartner|kontoinhaber|^nom$|^prenom$|^apellidos?$"
        ),
    ),
    ("iban", re.compile(r"iban$|(^|_)iban|bank_?acc?(_|$|ount)|account_?(n|no|nr|num|number)$|konto")),
    ("card", re.compile(r"card_?(no|num|number)$|^card$|credit_?card|^cc_?(num|number)|^pan$")),
    (
        "national_id",
        re.compile(
            r"(^|_)ssn|social_?sec|national_?id|(^|_)identification_?(id|no|nr|num|number)$|"
            r"(^|_)(visa|(work|residence)_?permit|permit)_?(no|nr|num|number)$|tax_?(id|(no|num|number)$)|passport|licen[cs]e_?(no|num|number)$|^dni$|^nif$|"
            r"pesel|nhs_?n|^pan_?(no|num|number)$|aadhaa?r|^(curp|cpf|cnpj|bsn|nino)$|citizen_?id|"
            r"steuer_?(id|nr|num|nummer)|sozialvers|ausweis_?(nr|num|nummer)|codice_?fisc|cod_?fisc|num_?secu|rodne_?cislo|"
            r"personnummer|henkilotunnus|^hetu$|^(cedula|ahv_?n(r|um)?)$"
        ),
    ),
    ("ip", re.compile(r"^ip$|_ip$|^ip_|(^|_)ip_?addr|remote_?addr|client_?addr")),
    ("mac", re.compile(r"^mac$|mac_?addr|hw_?addr")),
    ("url", re.compile(r"url$|^uri$|_uri$|website|homepage|avatar|^link$|_link$|webhook")),
    (
        "secret",
        re.compile(
            r"passw|(^|_)pass$|secret|token|api_?key|hash$|_hash|credential|private_?key|^salt$|(^|_)(t?otp|2fa|two_?fa|mfa)(_(key|code|seed|secret))?$|"
            rf"{_SPOKEN}"
        ),
    ),
    (
        "address",
        re.compile(
            r"address|street|strasse|^city$|_city$|(^|_)town|(^|_)zip(_?code)?$|post(al)?_?code|^plz$|^ort$|direcci(o|ó)n|domicilio|(^|_)calle$|thoroughfare|(^|_)adresse|indirizzo|endere(c|ç)o|"
            r"logradouro|(^|_)morada$|(^|_)adres$|(^|_)(ulica|rua|rue)$|c(o|ó)digo_?postal|(^|_)cep$|wohnort|localidad$|(^|_)ciudad$"
        ),
    ),
    (
        "date",
        re.compile(
            r"birth|(^|_)born(_|$)|^dob$|_dob$|geburt|naissance|nacimiento|died|deceased|admitted|discharged|"
            r"(^|_)geb_?(dat(um)?|am|tag|jahr)?$|(^|_)geboren(_am)?$|fecha_?nac|f_?nac$|(^|_)nasc(im|ita|$)|data_nasc|"
            r"dt_?nasc|date_?naiss|(^|_)ddn$|geboorte|(^|_)gebdat|f(o|ø)dsel|f(o|ö)dd|synt(y|t)m|syntyma|narozen|"
            r"urodz|(^|_)dogum|sz(u|ü)let(e|é)s|rozhdenia|birthyear|(^|_)yob$|year_?of_?birth"
        ),
    ),
    (
        "number",
        re.compile(
            r"salary|(^|_)ctc$|(gross|net|base)_?pay$|remuneration|compensation$|(^|_)income|(^|_)wage|latitude|longitude|(^|_)(lat|lon|lng)$|weight|blood|(^|_)bmi(_|$)"
        ),
    ),
    (
        "text",
        re.compile(
            r"body|text|content|message|comment|note|description|subject|title|summary|reason|remark|bio|question|answer|"
            r"prompt|feedback|detail|payload|history|transcript|complaint|diagnos|signature"
        ),
    ),
    (
        "keep",
        re.compile(
            r"^id$|_id$|status|state|kind|^type$|_type$|currency|sku|slug|country|locale|language|lang$|plan|level|"
            r"priority|category|channel|model|version|unit|color|size|role|tier|source|format|enabled|active|_at$|_on$|"
            r"(^|_)counts?(_|$)|total|price|amount|score|newsletter|"
            r"(^|_)(order|invoice|ticket|case|shipment|return|tracking|receipt|booking|quote|serial|batch)_?(no|nr|num|number)$"
        ),
    ),
)
_ABOUT = re.compile(
    r"(mail|phone|fax|mobile|address|company|organi[sz]ation|url|website|webhook|link|avatar|card|contact|customer|user|"
    r"owner|author|employee|recipient|sender)_((domain|template|provider)_?)?(ids?|settings?|options?|config(uration)?s?|uuid|type|kind|status|format|provider|"
    r"template|enabled|verified|confirmed|count|size|sector|industry|stage|file_?name|content_?type|mime(_?type)?|file_?size|notifications?|preferences?|frequency|position|visible|required|allowed|"
    r"at|on)$|(token|secret|passw(or)?d|credential|api_?key)_(types?|kind|status|format|provider|algorithm|length|enabled|"
    r"required|expir(es|y)|at|on|polic(y|ies)|rules?|min|max|strength|lifespan|lifetime|timeout|ttl)$|[a-z]able_(type|id)$|"
    r"(phone|mobile|fax)_?((number|country|area|calling)_?)*(code|prefix)$"
)
"""What is said of somebody's address or number, or refers to it; where its values are addresses, these decide."""
_OF_MAIL = re.compile(
    r"(^|_)(e?mail|sms|phone|message)_?(subject|body|text|content|html|template|header|footer|title|greeting)(_text|_html)?$"
)
"""What is written in a message, and not to whom."""
_ELSEWHERE = re.compile(
    r"(^|_)open_?id$|(federated|idp|upstream|remote|identity)_?(user|account|member|subject)_?id$|^external_?(user|customer|contact|client)_?id$|provider_?(user|account|customer)_?id$|"
    r"(^|_)(social|oauth|sso|saml|oidc|ldap|github|gitlab|google|facebook|twitter|apple|microsoft|azure|linkedin|telegram|"
    r"discord|slack|whatsapp|wechat)_?((user|account|member|contact)_?)?(u?id|sub|subject)$|"
    r"(stripe|paypal|braintree|adyen|paddle|chargebee)_?(customer|payer)_?id$|^(psid|union_?id|ldap_dn|subject_id)$"
)
"""What another service calls somebody by."""
_FILE_NAME = re.compile(r"(^|_)(file|blob)_?name$")
_SHOWN_THING = re.compile(r"(provider|application|service|issuer|scheme|product|plan)_display_?name$")
_PLACEHOLDER = re.compile(r"(^|_)(blur|thumb|average|perceptual|p|d|a|image|content|file|git|commit|block)_?hash$")
"""What pictures and files are told apart or shown by before they are there: `blurhash`."""
_REFERS = re.compile(
    r"^(e?mail|phone|address|url|website|link|company|organi[sz]ation|token|message)_[a-z]+_(ids?|uuid)$"
)
"""What refers to a thing of that name: `email_queue_id`."""
_NUMBERED = re.compile(
    r"(^|_)(student|pupil|matriculation|matrikel|patient|member|mitglieds?|insur(ed|ance)|versicherten|loyalty|kv|sv)_?"
    r"(no|nr|num|number|nummer)$|(^|_)(n(um|o)?_?colegiad[oa]|npi|gmc_?no|lanr|(bar|oab|crm|attorney|nurse)_?(no|nr|num|number))$"
)
"""What somebody is called by on papers and cards, however it was counted up."""
_VERSION = re.compile(r"^(row_?version|concurrency_?(stamp|token))$")
"""What a database counts up at every change of a row."""
_PAPERS = re.compile(r"(order|invoice|shipment|return_authori[sz]ation|quote|booking|receipt)s?$")
"""What has a number of its own, which is the paper's."""
_PEOPLE = re.compile(
    r"(customer|user|employee|people|person|contact|member|author|agent|patient|student|artist|lead|staff|client)(s|e?n)?"
    r"(_?(profile|info|detail|data|account|record|table|list)s?)?(_?\d+)?$"
)
"""Whose table it is: what its name ends in counts, for the devices of users are nobody."""
_SECRETS = re.compile(
    r"(^|_)(secret|credential|password|access_?token|api_?(key|token)|vault|ssh_?key|encryption_?key)(e?s)?"
    r"(_?(entity|entities|store|value|data))?$|^keys$"
)
"""Tables of what lets somebody in."""
_FIRMS = re.compile(r"(organi[sz]ation|compan(y|ie)|employer|firm|tenant|workspace|vendor|supplier)s?$")
_ADDRESSES = re.compile(
    r"address(es)?(_?(snapshot|data|details|copy))?$|"
    r"^(billing|shipping|delivery|invoice|mailing|home|work)(_?(details|snapshot|data|info|copy|to))?$"
)
_LINE = re.compile(r"^(line|addr)_?\d?$|^(house|street)_?(no|nr|num|number)$")
"""A line of an address, in what is one."""
_PART = re.compile(
    r"(^|_)(first|given|fore|last|family|sur|middle|maiden|second)_?names?$|^(first|last|middle)$|^[fl]name$|"
    r"^(vorname|nachname|prenom|apellidos?|nombre|nom|cognome)$"
)
_DOCUMENTS = ("json", "jsonb")
_BY_TYPE = {"inet": "ip", "cidr": "ip", "macaddr": "mac", "macaddr8": "mac", "tsvector": "text", "xml": "text"}
"""What values of a type are, whatever their column is called."""


UNDECIDED = "decide"
"""No domain: what nothing can look into, and what cannot be removed either, is for a person to decide."""

_EMBEDDING = re.compile(r"embed|(?<![a-z])emb(?![a-z])|vector|(?<![a-z])vec(?![a-z])|latent")
_NUMBERS = frozenset(("float4", "float8", "numeric", "int2", "int4", "int8"))


def guess(field: Field) -> str:
    """The domain to propose for a whole field; for text of unknown meaning, the search for known identities."""
    if field.kind is FieldKind.VECTOR or field.partitioning:
        return "keep"
    base = field.base.removesuffix("[]")
    if field.opaque or field.address == "pg_largeobject":
        return removed(field)
    if base in _DOCUMENTS and field.kind is FieldKind.ARRAY:
        return "json"
    if base in _BY_TYPE:
        return unique_too(_BY_TYPE[base], field)
    *holder, name = Address.parse(field.address).parts
    found = by_name(name, holder[-1] if holder else "") or "text"
    if base == "bytea" and _VERSION.search(_plain(name)):
        return "keep"
    if base == "bytea" and (found == "keep" or not fits(found, field)):
        found = "bytes"
    elif not fits(found, field):
        found = _of_numbers(found, field)
    return unique_too(found, field)


def removed(field: Field) -> str:
    """What to propose for what can be neither masked nor looked into."""
    return "null" if field.nullable and not field.unique else UNDECIDED


def unique_too(domain: str, field: Field) -> str:
    """The domain, or where values must stay different one that keeps them so."""
    if not field.unique or KINDS[domain].injective:
        return domain
    if fits("key", field):
        return "key"
    base = field.base.removesuffix("[]")
    if base == "bytea":
        return "bytes"
    return removed(field) if base in _BY_TYPE or field.opaque else "keep"


def looks_like_embedding(field: Field) -> bool:
    """Whether numbers or bytes are called as embeddings are."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", Address.parse(field.address).name).lower()
    numbers = field.base.endswith("[]") and field.base.removesuffix("[]") in _NUMBERS
    return (numbers or field.base in ("bytea", "bit", "varbit")) and _EMBEDDING.search(name) is not None


def _of_numbers(domain: str, field: Field) -> str:
    """For a number that its name calls a person's, where the domain is for texts."""
    if domain in ("national_id", "iban", "card", "phone", "key") and not field.base.endswith("[]"):
        return "integer" if fits("integer", field) else "redact" if fits("redact", field) else "keep"
    return "number" if domain == "date" and fits("number", field) and not field.base.endswith("[]") else "keep"


def guess_path(path: str) -> str:
    """The domain to propose for a path inside a JSON field."""
    keys = re.findall(r"[^.\[\]'\"*$]+", path)
    return by_name(keys[-1], keys[-2] if len(keys) > 1 else "") or "text" if keys else "text"


def part_of_a_name(place: str) -> bool:
    """Whether an address or a JSON path tells of a given or a family name alone."""
    keys = re.findall(r"[^.\[\]'\"*$]+", place) if place.startswith("$") else [Address.parse(place).name]
    return bool(keys) and _PART.search(_plain(keys[-1])) is not None


def _plain(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().replace("-", "_").replace(" ", "_")


def by_name(name: str, holder: str = "") -> str:
    """The domain that a name tells of, in a table or document of the name `holder`; '' when it tells of nothing."""
    plain = _plain(name)
    if plain in ("name", "title") and _PEOPLE.search(_plain(holder)):
        return "person" if plain == "name" else "keep"
    if _LETS_IN.search(plain) and not _ABOUT.search(plain):
        return "secret"
    if _OF_MAIL.search(plain) or _SHOWN_THING.search(plain) or _FILE_NAME.search(plain):
        return "text"
    if _ELSEWHERE.search(plain):
        return "key"
    if _NUMBERED.search(plain):
        return "key"
    if _PLACEHOLDER.search(plain) and not _PEOPLE.search(_plain(holder)):
        return "keep"
    if _LINE.search(plain) and _ADDRESSES.search(_plain(holder)):
        return "address"
    if plain in ("value", "data", "secret", "ciphertext") and _SECRETS.search(_plain(holder)):
        return "secret"
    if plain == "name" and _FIRMS.search(_plain(holder)):
        return "company"
    if (
        _ABOUT.search(plain)
        or _REFERS.search(plain)
        or (plain in ("number", "no", "reference") and _PAPERS.search(_plain(holder)))
    ):
        return "keep"
    return next((domain for domain, pattern in _BY_NAME if pattern.search(plain)), "")
