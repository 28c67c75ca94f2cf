"""What an answer says that can be looked up, and whether it stands in what a model was given, in any way of writing."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator

from envclone.diagnosis.words import words
from envclone.masking.keywords import KEY_WORDS

__all__ = ["claims", "clocked", "grounded"]

_NUMBER = re.compile(
    r"(?<![\w.])\d[\d.,:/–-]*\d|(?<![\w.])\d(?=\s*(?:%|€|\$|£|years?|days?|hours?|minutes?|weeks?|months?))"
)
_ANY_NUMBER = re.compile(r"(?<![\w.])\d(?:[\d.,:/–-]*\d)?")
_NAME = re.compile(r"(?<![.!?:;\n»“\"'(*#-] )(?<=[a-z,] )([A-Z][\w’'-]+(?: [A-Z][\w’'-]+)*)")
_LINK = re.compile(r"https?://[^\s)>\]]+|[\w.+-]+@[\w-]+\.[\w.-]+")
_CODE = re.compile(r"\b(?=[A-Z0-9-]*\d)(?=[A-Z0-9-]*[A-Z])[A-Z0-9][A-Z0-9-]{2,}\b")
_ENUMERATED = re.compile(r"^\s*\d+[.)]\s", re.MULTILINE)
_OWNED = re.compile(r"['’]s?$")
_ORDINARY = frozenset((
    "a", "an", "and", "of", "for", "the", "in", "on", "to", "your", "our", "my", "service", "services", "support",
    "team", "desk", "department", "customer", "customers", "help", "center", "centre", "policy", "policies", "terms",
    "conditions", "privacy", "refund", "refunds", "return", "returns", "shipping", "delivery", "warranty", "internet",
    "online", "web", "website", "email", "pdf", "api", "faq", "app", "apps", "settings", "account", "order", "orders",
    "english", "german", "french", "spanish", "italian", "portuguese", "dutch", "japanese", "chinese", "i", "i'm",
    "i'll", "i've", "ai", "assistant", "step", "option", "section", "page", "table", "figure", "note", "please",
))  # fmt: skip
"""Words that answers write with a capital, and that name nobody."""
_COUNTED = 31
"""The most that an answer counts, and up to which a number is not held to be reckoned."""
_ROUNDED = 0.006
_ABOUT = 0.1
_NEARLY = r"about|around|approximately|roughly|nearly|almost|~|≈|circa|ca\.|etwa|rund"
_GROUPED = re.compile(r"(?<![\d.,])(\d{1,3})[   ](?=\d{3}(?!\d))")
_TELEPHONE = re.compile(r"(?<![\w.,])(?!\d{1,2}[./-]\d{1,2}[./-]\d{2,4}\b)(?:\+|0)\d[\d ()/-]{5,18}\d(?!\d)")
_COUNTS: dict[str, float] = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17,
    "eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70,
    "eighty": 80, "ninety": 90, "hundred": 100, "half": 0.5, "double": 2, "twice": 2,
}  # fmt: skip
_UNITS = {"week": ("day", 7), "fortnight": ("day", 14), "day": ("hour", 24), "hour": ("minute", 60),
          "year": ("month", 12), "minute": ("second", 60), "dozen": ("", 12)}  # fmt: skip
_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
           "december")  # fmt: skip
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DATE = re.compile(r"\b(\d{4})-(\d\d)-(\d\d)\b|\b(\d{1,2})[./](\d{1,2})[./](\d{4})\b")
_CLOCK = re.compile(r"\b(\d{1,2})(?:[:.h](\d{2}))?\s?(a\.?m\b\.?|p\.?m\b\.?|Uhr\b|o.clock\b)", re.IGNORECASE)
_GERMAN = frozenset((
    "der", "die", "das", "den", "dem", "des", "ein", "eine", "einen", "einem", "einer", "und", "oder", "nicht", "ist",
    "sind", "wird", "werden", "mit", "von", "zu", "zum", "zur", "im", "am", "auf", "für", "aus", "bei", "nach", "über",
    "kann", "kostet", "gibt", "es", "sie", "ihr", "ihre", "wir", "uns", "auch", "nur", "bis", "um", "haben", "hat",
))  # fmt: skip


def claims(answer: str) -> tuple[str, ...]:
    """What an answer says that can be looked up: links, codes, numbers, and names within a sentence."""
    links = _LINK.findall(answer)
    rest = _ENUMERATED.sub(" ", _LINK.sub(" ", answer))
    codes = _CODE.findall(rest)
    rest = _CODE.sub(" ", rest)
    names = [one for one in _NAME.findall(rest) if " " in one or not _nouns_are_capital(rest)]
    names = [one for one in names if not all(word in _ORDINARY or word in KEY_WORDS for word in one.lower().split())]
    found = [*links, *codes, *_NUMBER.findall(rest), *names]
    return tuple(dict.fromkeys(one.rstrip(".,:-/") for one in found))


def grounded(claim: str, answer: str, given: str) -> bool:
    """Whether a claim of an answer stands in what was given, or follows from it."""
    if _stands(claim, given):
        return True
    if re.search(r"[A-Za-z]", claim):
        return claim.lower() in _dated(given)
    return _in_parts(claim, given) or _converted(claim, answer, given) or _reckoned(claim, answer, given)


def clocked(text: str) -> str:
    """A text whose times, telephones and thousands are written in one way: 9:30 pm is 21:30, 12 000 is 12000."""
    text = _TELEPHONE.sub(lambda match: re.sub(r"\D", "", match[0]).lstrip("0"), text)
    return _GROUPED.sub(r"\1", _CLOCK.sub(_by_day, text))


def _by_day(match: re.Match[str]) -> str:
    hour, half = int(match[1]), match[3][0].lower()
    if hour > 12 or half not in "ap":
        return f"{hour:02d}:{match[2] or '00'}"
    return f"{hour % 12 + (12 if half == 'p' else 0):02d}:{match[2] or '00'}"


def _nouns_are_capital(answer: str) -> bool:
    """Whether it is in a language that writes every noun so, as German does."""
    said = words(answer)
    return sum(word in _GERMAN for word in said) * 8 >= len(said) > 0


def _plain(number: str) -> str:
    """An amount without the zeros behind its point: 35.00 is 35."""
    return re.sub(r"[.,]0{1,2}$", "", number).replace(",", "")


def _stands(claim: str, given: str) -> bool:
    digits = re.sub(r"[^\d]", "", claim)
    number = bool(digits) and not re.search(r"[A-Za-z]", claim)
    whole = rf"(?<!\d)(?<!\d[.,:]){re.escape(claim)}(?!\d)(?![.,:]\d)"
    if re.search(whole, given) if number else claim.lower() in given.lower():
        return True
    if number:
        if any(int(digits) in map(int, filter(None, one.groups())) for one in _DATE.finditer(given) if len(digits) < 5):
            return True
        if len(digits) > 5 and digits in re.sub(r"(?<=\d)[\s()/.-]+(?=\d)", "", given):
            return True  # a telephone's number in other groups
        return any(re.sub(r"[^\d]", "", other) == digits or _plain(other) == _plain(claim)
                   for other in _ANY_NUMBER.findall(given))  # fmt: skip
    there = set(words(given))
    said = [_OWNED.sub("", word) for word in words(claim)]
    return all(word in there or word.removesuffix("s") in there or word in _ORDINARY for word in said)


def _dated(given: str) -> frozenset[str]:
    """The months and days of the week of the dates in a text, as words."""
    found: set[str] = set()
    for one in _DATE.finditer(given):
        year, month, day = (
            (int(n) for n in (one[1], one[2], one[3])) if one[1] else (int(one[6]), int(one[5]), int(one[4]))
        )
        for m, d in ((month, day), (day, month)) if one[6] else ((month, day),):
            try:
                at = dt.date(year, m, d)
            except ValueError:
                continue
            found |= {_MONTHS[m - 1], _MONTHS[m - 1][:3], _WEEKDAYS[at.weekday()]}
    return frozenset(found)


def _in_parts(claim: str, given: str) -> bool:
    """Whether a range or a date is of numbers that were given: 2-3 days, 24/7, 05/03/2026."""
    parts = [one for one in re.split(r"[-–/:.]", claim) if one]
    if len(parts) < 2 or not re.search(r"[-–/]", claim):
        return len(parts) == 3 and re.fullmatch(r"\d{1,2}\.\d{1,2}\.\d{4}", claim) is not None and _each(parts, given)
    return _each(parts, given)


def _each(parts: list[str], given: str) -> bool:
    there = {int(one) for one in re.findall(r"\d+", given) if len(one) < 16} | {int(n) for n in _counted_in(given)}
    months = {number for number, name in enumerate(_MONTHS, 1) if name in given.lower()}
    return all(one.isdigit() and len(one) < 16 and int(one) in there | months for one in parts)


def _counted_in(text: str) -> Iterator[float]:
    """The numbers that a text has in words."""
    low = text.lower()
    yield from (value for word, value in _COUNTS.items() if re.search(rf"\b{word}\b", low))


def _converted(claim: str, answer: str, given: str) -> bool:
    """Whether a number was given in words, in another unit, or is about one that was."""
    total = _amount(claim)
    if total is None:
        return False
    if total in set(_counted_in(given)):
        return True
    known = [value for one in _ANY_NUMBER.findall(given) if (value := _amount(one)) is not None]
    if re.search(rf"(?:{_NEARLY})\s*[€$£]?\s*{re.escape(claim)}", answer, re.IGNORECASE):
        return any(abs(value - total) <= _ABOUT * abs(value) for value in known)
    low = given.lower()
    for unit, (other, times) in _UNITS.items():
        if other and not re.search(rf"{re.escape(claim)}[\s-]*{other}", answer, re.IGNORECASE):
            continue
        for said in re.finditer(rf"\b(\d+|{'|'.join(_COUNTS)}|an?)[\s-]+{unit}", low):
            many = float(said[1]) if said[1].isdigit() else _COUNTS.get(said[1], 1)
            if many * times == total:
                return True
    return False


def _reckoned(claim: str, answer: str, given: str) -> bool:
    """Whether a number follows from two others of the same answer, of which one was given: 2 x 84.50 is 169."""
    total = _amount(claim)
    if total is None or (total <= _COUNTED and total.is_integer()):
        return False
    others = [one for one in _ANY_NUMBER.findall(answer) if one != claim]
    known = [value for one in others if (value := _amount(one)) is not None and _stands(one, given)]
    more = [value for one in others if (value := _amount(one)) is not None and value <= _COUNTED]
    more += list(_counted_in(answer))
    pairs = [(a, b) for a in known for b in (*known, *more)]
    there = [value for one in _ANY_NUMBER.findall(given) if (value := _amount(one)) is not None]
    if any(abs(a * b - total) < _ROUNDED for a in there for b in more):
        return True
    made = (made for a, b in pairs for made in (a * b, a + b, a - b, a / b if b else 0.0, a * b / 100, a + a * b / 100,
                                                a - a * b / 100))  # fmt: skip
    return any(abs(one - total) < _ROUNDED for one in (*made, sum(known)))


def _amount(number: str) -> float | None:
    plain = number.rstrip(".,:-/")
    if plain.count(",") == 1 and re.search(r",\d{1,2}$", plain):
        plain = plain.replace(".", "").replace(",", ".")
    try:
        return float(plain.replace(",", ""))
    except ValueError:
        return None
