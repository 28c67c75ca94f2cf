"""The street with its number, and the postal code, of an address that is written in one: each is searched for too."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from envclone.packed import Packed

__all__ = ["places_in", "street_of", "streets_in"]

_PARTS = re.compile(r",\s*|;\s*|\s*\n\s*|\s[|\u2022\u00b7/\u2013-]\s")
_NAME_FIRST = re.compile(r"(?=\D*[^\W\d_]{3})\D+\s\d{1,5}\s?[A-Za-z]?(?:\s?[-/]\s?\d{1,4}\s?[A-Za-z]?)?")
_NUMBER_FIRST = re.compile(r"\d{1,5}\s?[A-Za-z]?(?:[-/]\d{1,4}[A-Za-z]?)?\s(?=\D*[^\W\d_]{4})\D+")
_IN_ONE = re.compile(r"((?=\D*[^\W\d_]{3})\D+\s\d{1,4}\s?[A-Za-z]?)\s(?:[A-Z]{1,2}[- ])?(\d{5})\s\D+")
_NO_STREET = re.compile(
    r"(?i)(?:apartment|apt|suite|ste|unit|floor|fl|room|rm|building|bldg|block|flat|house|box|p\.?\s?o\.?\s?box"
    r"|postfach|stock|etage|haus|zimmer|wohnung|appartement|bâtiment|interno|scala|piso|door|top|stiege)\b.*"
    r"|\d+\s?(?:st|nd|rd|th|\.|er|e|o)?\s(?:floor|stock|etage|og|eg|piso|piano)"
)
_CODE = re.compile(r"(?i)(?<![\w.])(?:[A-Z]{1,2}-)?(\d{5,6}|\d{3}\s\d{2}|[A-Z]{1,2}\d[A-Z\d]?\s\d[A-Z]{2})(?![\w.])")
_SHORTEST, _LONGEST = 6, 300
_SEPARATORS = np.zeros(256, np.bool_)
_SEPARATORS[[*b",;\n|"]] = True


def street_of(address: str) -> tuple[str, str]:
    """The street with its number and the postal code of an address; '' for what it has none of."""
    if len(address) > _LONGEST:
        return "", ""
    if (whole := _IN_ONE.fullmatch(address.strip())) is not None:
        return whole[1].strip(), whole[2]
    parts = [part.strip() for part in _PARTS.split(address) if part.strip()]
    if len(parts) < 2:
        return "", ""
    named = [part for part in parts if _NAME_FIRST.fullmatch(part) and not _NO_STREET.fullmatch(part)]
    numbered = [part for part in parts if _NUMBER_FIRST.fullmatch(part) and not _NO_STREET.fullmatch(part)]
    street = next((part for part in (*named, *numbered) if len(part) >= _SHORTEST), "")
    codes = (code for part in reversed(parts) if part != street and (code := _CODE.search(part)))
    found = next(codes, None)
    return street, found[1] if found is not None else ""


def places_in(address: str) -> list[str]:
    """Both, where there are any."""
    return [part for part in street_of(address) if part]


def streets_in(values: Packed) -> Iterator[tuple[int, str]]:
    """The plain addresses of several parts, with their places."""
    marked = np.concatenate((np.zeros(1, np.int64), np.cumsum(_SEPARATORS[values.block], dtype=np.int64)))
    digits = np.concatenate((np.zeros(1, np.int64), np.cumsum((values.block >= 48) & (values.block <= 57))))
    starts, stops = values.starts, values.stops
    there = (starts >= 0) & values.plain
    there &= (marked[stops] > marked[starts]) | (digits[stops] - digits[starts] >= _SHORTEST)
    for place in np.flatnonzero(there & (digits[stops] > digits[starts])).tolist():
        yield place, values.text(place)
