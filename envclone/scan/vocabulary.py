"""Closed lists that columns are made of: time zones, countries, currencies, locales, methods, statuses. Nobody's."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from functools import cache

from envclone.masking.common_words import is_everyday
from envclone.masking.names import is_name
from envclone.masking.regions import country_codes, country_names

__all__ = ["generated", "identifiers", "listed"]

_MOST = 0.9


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_METHODS = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT", "TRACE"))
_MIME = re.compile(r"(?:application|audio|font|image|message|model|multipart|text|video)/[\w.+-]+(?:;.*)?")
_LOCALE = re.compile(r"([a-z]{2,3})(?:[-_]([A-Za-z]{4}))?(?:[-_]([A-Za-z]{2}|\d{3}))?(?:\.[\w-]+)?")
_LANGUAGES = _set(
    """
    aa ab af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en
    eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja
    jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb
    nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq
    sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu zt eng
    deu ger fra fre spa ita por nld dut jpn zho chi rus pol
    """
)
_CURRENCIES = _set(
    """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF
    CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG
    HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA
    MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD
    RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX
    USD UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWL BTC ETH
    """
)
_COUNTRIES_3 = _set(
    """
    ABW AFG AGO AIA ALA ALB AND ARE ARG ARM ASM ATA ATF ATG AUS AUT AZE BDI BEL BEN BES BFA BGD BGR BHR BHS BIH BLM
    BLR BLZ BMU BOL BRA BRB BRN BTN BVT BWA CAF CAN CCK CHE CHL CHN CIV CMR COD COG COK COL COM CPV CRI CUB CUW CXR
    CYM CYP CZE DEU DJI DMA DNK DOM DZA ECU EGY ERI ESH ESP EST ETH FIN FJI FLK FRA FRO FSM GAB GBR GEO GGY GHA GIB
    GIN GLP GMB GNB GNQ GRC GRD GRL GTM GUF GUM GUY HKG HMD HND HRV HTI HUN IDN IMN IND IOT IRL IRN IRQ ISL ISR ITA
    JAM JEY JOR JPN KAZ KEN KGZ KHM KIR KNA KOR KWT LAO LBN LBR LBY LCA LIE LKA LSO LTU LUX LVA MAC MAF MAR MCO MDA
    MDG MDV MEX MHL MKD MLI MLT MMR MNE MNG MNP MOZ MRT MSR MTQ MUS MWI MYS MYT NAM NCL NER NFK NGA NIC NIU NLD NOR
    NPL NRU NZL OMN PAK PAN PCN PER PHL PLW PNG POL PRI PRK PRT PRY PSE PYF QAT REU ROU RUS RWA SAU SDN SEN SGP SGS
    SHN SJM SLB SLE SLV SMR SOM SPM SRB SSD STP SUR SVK SVN SWE SWZ SXM SYC SYR TCA TCD TGO THA TJK TKL TKM TLS TON
    TTO TUN TUR TUV TWN TZA UGA UKR UMI URY USA UZB VAT VCT VEN VGB VIR VNM VUT WLF WSM YEM ZAF ZMB ZWE
    """
)
_COLORS = _set(
    """
    amber aqua azure beige black blue bronze brown burgundy charcoal chartreuse coral cream crimson cyan emerald
    fuchsia gold gray green grey hazel indigo ivory jade khaki lavender lilac lime magenta maroon mint navy ochre
    olive orange orchid peach pink plum purple red rose ruby rust salmon sand scarlet scarlett silver tan taupe
    teal turquoise violet white yellow
    """
)
_WORDS = _set(
    """
    abandoned accepted active added admin agent allow allowed anonymous api app approved archived assigned
    assistant author automatic available back backend basic billing blocked bot bounced browser bug business call
    cancel canceled cancelled cart chat checked checkout child client closed complete completed confirmed contact
    created credit critical customer daily dark debit default deferred delete deleted delivered delivery denied
    deny desktop direct disabled discarded done download draft edit editor email employee enabled error event
    expired external facebook failed false fax female file finished form free frontend function google guest hidden
    high home hourly html image import important in inactive inbound incoming info ingest initial input integer
    internal invited invoice issue job json late lead ldap light locked login low mail male manager manual member
    merged message mobile moderator monthly new no none normal note notification off ok on open optional order
    organization other out outbound outgoing overdue owner page paid partial paused pending phone post priority
    private pro processed processing prod production public published queued read ready reader received refunded
    rejected removed requested required resolved retry returned review reviewed role root running sale scheduled
    select sent shipped shipping signup sms solved spam staff staging start started status stop stopped string
    submitted success succeeded support suspended system task team test text ticket tool trial true twitter unknown
    unpaid unread update updated upload urgent user valid verified view viewer visible waiting warning web webhook
    weekly won work write yearly yes yellow
    """
)
"""Words that statuses, roles, channels and kinds are called by."""
_IDENTIFIER = re.compile(
    r"[a-z][a-z0-9]*(?:(?:[_.:/\-]|::)[a-z0-9]+)*|[A-Z][A-Za-z]+(?:::[A-Z][A-Za-z]+)+|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|"
    r"[a-z]+(?:\.[a-z][a-z0-9]*(?:[A-Z][a-z0-9]+)*)+"
)
_HUMP = re.compile(r"[A-Z]?[a-z]+")
_HUMPED = re.compile(r"(?:[A-Z][a-z]+|[a-z][a-z0-9]+)(?:[A-Z][a-z]+|[A-Z]{2,4}(?![a-z])|[0-9]{1,2})+")
_WORD_ALONE = re.compile(r"[A-Z][a-z]{2,20}")
_CAPITALS = re.compile(r"[A-Z][A-Z0-9]{1,30}")
_GENERATED = tuple(
    re.compile(rf"(?:[a-z]{{2,12}}_)?(?:{form})(?:[_:#-]\d{{1,6}})?")
    for form in (
        r"(?i:[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12})",  # UUID
        r"[0-7][0-9A-HJKMNP-TV-Z]{25}|[0-7][0-9a-hjkmnp-tv-z]{25}",  # ULID, TypeID
        r"c[a-z0-9]{24}",  # cuid
        r"(?=.*\d)[a-z][a-z0-9]{23}",  # cuid2
        r"(?=.*\d)[0-9A-Za-z]{27}",  # KSUID
        r"[0-9a-f]{24}",  # ObjectId
        r"(?=.*[A-Z])(?=.*[0-9_-])[A-Za-z0-9_-]{21}",  # nanoid
    )
)
"""The forms of keys that libraries make; what is drawn says nothing of anybody."""
_NANOID = re.compile(r"(?:[a-z]{2,12}_)?[A-Za-z0-9_-]{21}")
_LETS_IN = re.compile(r"(?:sk|rk|whsec|gh[a-z]|pat|tok|token|key|secret|pwd)_")
"""What keys to an API begin with."""
_ENOUGH = 8
_LONG_NUMBER = re.compile(r"\d{4}")
_WORD = re.compile(r"[^\W\d_]+")


def generated(values: Collection[str]) -> bool:
    """Whether these are keys that a program drew, all of one form: UUID, ULID, cuid, nanoid, KSUID, ObjectId.

    Each may have a prefix: `user_01h455vb4pex5vsknk084sn02q`.
    """
    present = {value.strip() for value in values if value.strip()}
    if any(map(_LETS_IN.match, present)):
        return False
    if len(present) >= _ENOUGH and all(map(_NANOID.fullmatch, present)):  # by chance one has no digit or no capital
        strict = sum(_GENERATED[-1].fullmatch(value) is not None for value in present)
        return strict > _MOST * len(present)
    return bool(present) and any(all(form.fullmatch(value) for value in present) for form in _GENERATED)


def listed(values: Collection[str], *, personal: bool = False) -> str:
    """Which closed list most of these different values stand in, in words; '' when in none.

    `personal` is whether the column is called like a person's: then lists whose words are names too do not count.
    """
    present = {value.strip() for value in values if value.strip()}
    if not present:
        return ""
    for said, of_names, stands in _LISTS:
        if (not of_names or not personal) and sum(map(stands, present)) >= _MOST * len(present):
            return said
    return ""


def identifiers(values: Collection[str]) -> bool:
    """Whether these are names that a program gave: `customer_ticket_create`, `admin.user`, `UserAgent::Base`."""
    present = {value.strip() for value in values if value.strip()}
    joined = sum(_IDENTIFIER.fullmatch(value) is not None or _is_humped(value) for value in present)
    alone = sum(_is_alone(value) for value in present)  # `BANNER` beside `SITE_NAME`
    return (
        bool(present)
        and joined + alone == len(present)
        and alone <= joined
        and not any(len(value) > 80 or _LONG_NUMBER.search(value) for value in present)
    )


def _is_humped(value: str) -> bool:
    """Whether a value is words with a capital each in one, and not all of them names: `SmtpHost`, not `JohnSmith`."""
    return _HUMPED.fullmatch(value) is not None and not all(is_name(word.lower()) for word in _HUMP.findall(value))


def _is_alone(value: str) -> bool:
    return (
        _CAPITALS.fullmatch(value) is not None or (_WORD_ALONE.fullmatch(value) and is_everyday(value.lower())) or False
    )


def _is_locale(value: str) -> bool:
    found = _LOCALE.fullmatch(value)
    return found is not None and found[1] in _LANGUAGES


def _is_words(value: str) -> bool:
    words = _WORD.findall(value.lower())
    return 0 < len(words) <= 3 and all(word in _WORDS for word in words) and not re.search(r"\d{3}", value)


def _is_country(value: str) -> bool:
    return value.casefold() in country_names()


@cache
def _zones() -> frozenset[str]:
    from zoneinfo import available_timezones

    return frozenset(available_timezones())


_LISTS: tuple[tuple[str, bool, Callable[[str], bool]], ...] = (
    ("time zones", False, lambda v: v in _zones()),
    ("HTTP methods", False, lambda v: v in _METHODS),
    ("media types", False, lambda v: _MIME.fullmatch(v) is not None),
    ("words of statuses and roles", False, _is_words),
    ("currencies", True, lambda v: v in _CURRENCIES),
    ("countries' codes", True, lambda v: v in country_codes()),
    ("countries' codes", True, lambda v: v in _COUNTRIES_3),
    ("locales", True, _is_locale),
    ("countries", True, _is_country),
    ("colours", True, lambda v: v.casefold() in _COLORS),
)
"""What each list is called, whether its words are people's names, too, and what stands in it."""
