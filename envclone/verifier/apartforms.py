"""Forms in which the two halves of an address of mail stand beside one another without the @, or with another word for
it; and addresses that a shift of letters hides. Only the proof reads them."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from unicodedata import normalize

from envclone.masking.names import is_name

__all__ = ["APART_READERS"]

_ENDS = (
    "com|net|org|edu|gov|int|mil|info|biz|name|io|ai|app|dev|co|me|tv|cc|eu|de|at|ch|fr|be|nl|lu|uk|ie|es|pt|it|gr|pl|cz"
    "|sk|hu|ro|bg|hr|si|rs|dk|se|no|fi|is|ee|lv|lt|ru|ua|by|kz|tr|il|ir|in|pk|cn|hk|tw|jp|kr|sg|my|th|vn|id|ph|au|nz|br"
    "|ar|cl|mx|pe|ca|us|za|ng|ke|eg|ma|example|test|invalid|local|lan|internal|localhost|corp"
)
_HOST = rf"(?:[a-z0-9\-]+\.)+(?:{_ENDS})(?![\w\-])"
_TOLD = r"(?=[\w+\-]*[.+\d_])(?=[\d.+\-]*[^\W\d])[\w.+\-]*\w"
"""A mailbox that is nobody else's path: it has a dot, a digit or the like (`support/corp.example` is a page)."""
_SIGNS = re.compile(rf"(?i)(?<![\w.+\-])(?:({_TOLD})[/:\\,]|([\w.+\-]*\w) ?[|#;\t] ?)(?=({_HOST}))")
_TURNED = re.compile(rf"(?i)(?<![\w.\-])((?:[a-z0-9\-]+\.)+(?:{_ENDS}))[@/|;#:,](?:users?/|u/|~|@)?({_TOLD})")
_AT = r"(?:a|at|ät|aet|et|arroba|chez|snabel-?a|klammeraffe|affenschwanz|malpa|małpa|chiocciola|kukac|собака)"
_DOT = r"(?:dot|punkt|punto|point|ponto|punt|piste|prik|tečka|kropka|точка)"
_SPELLED_AT = re.compile(rf"(?i)(?<=\w)(?: ?[(\[{{<*~]{{1,3}} ?{_AT} ?[)\]}}>*~]{{1,3}} ?| {_AT} )(?=\w)")
_SPELLED_DOT = re.compile(rf"(?i)(?<=\w)(?: ?[(\[{{<*~]{{1,3}} ?{_DOT} ?[)\]}}>*~]{{1,3}} ?| {_DOT} )(?=\w)")
_BELOW = re.compile(rf"(?i)(?<![\w.+\-])({_TOLD})@(?:[a-z0-9\-]+\.)((?:[a-z0-9\-]+\.)+[a-z]{{2,}})(?![\w\-])")
_LISTED = re.compile(r"(?i)(?<![\w.+\-])([\w.+]*[.\d_][\w.+]*)-[\w\-]+@((?:[a-z0-9\-]+\.)+[a-z]{2,})(?![\w\-])")
_GOOGLE = re.compile(r"(?i)(?<![\w.+\-])([\w.]+)(?:\+[\w.+\-]*)?@(?:gmail|googlemail)\.com(?![\w\-])")

_INITIAL = re.compile(
    r"(?<!\w)(?:([\u0370-\u052f])\.(?: ?[\u0370-\u052f]\.)? ?([\u0370-\u052f]{4,})"
    r"|([\u0370-\u052f]{4,}),? ([\u0370-\u052f])\.)"
)
_BEFORE_FAMILY = re.compile(
    r"(?<!\w)([A-Z](?:\.[ \-]?|-)?[A-Z]?)\.?[ ]?"
    r"((?:[a-z]{1,4} |[a-z]\.){1,3}[A-Z][^\W\d_]{3,}|[A-Z]['’][A-Z][^\W\d_]{3,})"
)
_VOWELS = re.compile(r"[\u0591-\u05bd\u064b-\u0652\u0640\u0670]")
_ACCENTS = {'"': "\u0308", "'": "\u0301", "`": "\u0300", "^": "\u0302", "~": "\u0303"}
_TEX = re.compile(r"""\\?(["'`^~])\{?([A-Za-z])\}?""")


def _signs(text: str) -> Iterator[str]:
    """Both halves with another sign between them: cells, fields, paths."""
    yield from (f"{match[1] or match[2]}@{match[3]}" for match in _SIGNS.finditer(text))


def _turned(text: str) -> Iterator[str]:
    """The host first."""
    yield from (f"{match[2]}@{match[1]}" for match in _TURNED.finditer(text))


def _spelled(text: str) -> Iterator[str]:
    """Words for the @ and for dots, in many languages."""
    yield _SPELLED_DOT.sub(".", _SPELLED_AT.sub("@", text))


def _below(text: str) -> Iterator[str]:
    """The same mailbox at the host above."""
    yield from (f"{match[1]}@{match[2]}" for match in _BELOW.finditer(text))


def _listed(text: str) -> Iterator[str]:
    """A mailbox with what its owner wrote behind a hyphen."""
    yield from (f"{match[1]}@{match[2]}" for match in _LISTED.finditer(text))


def _google(text: str) -> Iterator[str]:
    """Mailboxes for which dots mean nothing."""
    yield from (f"{match[1].replace('.', '')}@gmail.com" for match in _GOOGLE.finditer(text))


def _shifted(text: str) -> Iterator[str]:
    """Letters moved by thirteen."""
    yield codecs.encode(text, "rot13")


def _initial(text: str) -> Iterator[str]:
    """An initial of Cyrillic or Greek letters beside a family name that is not everybody's."""
    for match in _INITIAL.finditer(text):
        family, initial = match[2] or match[3], match[1] or match[4]
        if not is_name(family.lower()):
            yield initial + family


def _initials(text: str) -> Iterator[str]:
    """Initials before a family name of several words, or with an apostrophe (J.-B. de la Roche, S. O'Neill)."""
    for match in _BEFORE_FAMILY.finditer(text):
        family = re.sub(r"[^\w]", "", match[2])
        last = match[2].rpartition(" ")[2]
        yield " ".join(match[1][0] + one for one in dict.fromkeys((family, last)) if not is_name(one.lower()))


def _dotted(text: str) -> Iterator[str]:
    """Turkish capitals and small letters as those of English."""
    yield text.replace("i\u0307", "i").replace("\u0130", "I").replace("\u0131", "i")


def _unmarked(text: str) -> Iterator[str]:
    """Arabic and Hebrew letters without what marks their vowels."""
    yield _VOWELS.sub("", text)


def _tex(text: str) -> Iterator[str]:
    """Letters with accents as TeX writes them."""
    told = _TEX.sub(lambda m: normalize("NFC", m[2] + _ACCENTS[m[1]]), text)
    yield re.sub(r"\\?\"s|\\ss ?(?:\{\})?", "ß", told)


def _no_break(text: str) -> Iterator[str]:
    yield re.sub(r"[\s\u00a0\u2000-\u200b\u202f]*@[\s\u00a0\u2000-\u200b\u202f]*", "@", text)


APART_READERS: tuple[tuple[str, Callable[[str], Iterator[str]]], ...] = (
    (rf"(?i)[\w] ?[|#;\t] ?[a-z0-9\-]+(?:\.[a-z0-9\-]+)*\.(?:{_ENDS})\b", _signs),
    (rf"(?i)[.+0-9_][\w+\-]*[/:\\,][a-z0-9\-]+(?:\.[a-z0-9\-]+)*\.(?:{_ENDS})\b", _signs),
    (rf"(?i)\.(?:{_ENDS})[@/|;#:,](?:users?/|u/|~|@)?[\w+\-]*[.+0-9_]", _turned),
    (
        r"(?i)\w ?[(\[{<*~]{1,3} ?(?:a|at|aet|et|\xc3[\xa4\x84]t|arroba|chez|snabel-?a|klammeraffe|affenschwanz"
        r"|ma(?:l|\xc5\x82)pa|chiocciola|kukac|\xd1\x81\xd0\xbe\xd0\xb1\xd0\xb0\xd0\xba\xd0\xb0) ?[)\]}>*~]{1,3}"
        r" ?[a-z0-9\-]+(?:\.|[ (\[{<*~]{1,3}(?:dot|pun|point|ponto|piste|prik|t|kropka|\xd1))",
        _spelled,
    ),
    (
        r"(?i)[a-z0-9] (?:arroba|chez|\xc3[\xa4\x84]t|snabel-?a|klammeraffe|affenschwanz|ma(?:l|\xc5\x82)pa|chiocciola"
        r"|kukac|\xd1\x81\xd0\xbe\xd0\xb1\xd0\xb0\xd0\xba\xd0\xb0) [a-z0-9\-]+"
        r"(?:\.[a-z0-9]| (?:dot|pun[kt]t?o?|point|ponto) )",
        _spelled,
    ),
    (r"(?i)[._+0-9][\w+\-]*@[a-z0-9\-]+\.[a-z0-9\-]+\.[a-z]", _below),
    (r"(?i)[._+0-9][\w.+]*-[\w\-]+@[a-z0-9]", _listed),
    (r"(?i)@(?:gmail|googlemail)\.com", _google),
    (r"(?i)@[\w\-]+(?:\.[\w\-]+)*\.(?:pbz|arg|bet|rqh|vasb|ovm|qr|se|ay|hx|cy|rh|ng|pu|vg|rf|frp|fr|ab|qx|rknzcyr|grfg)\b",
     _shifted),
    (r"\w\s?(?:\xc2\xa0|\xe2\x80[\x80-\x8b\xaf])\s?@|@\s?(?:\xc2\xa0|\xe2\x80[\x80-\x8b\xaf])", _no_break),
    (r"(?:\xd0[\x80-\xaf]|\xce[\x86-\xab])\. ?[\xce\xcf\xd0\xd1]|[\x80-\xbf],? (?:\xd0[\x80-\xaf]|\xce[\x86-\xab])\.",
     _initial),
    (r"(?:^|[^\w])[A-Z](?:\.?[ \-]?[A-Z]\.? (?:[a-z]{1,4} )+[A-Z]|\.? ?[A-Z](?:'|\xe2\x80\x99)[A-Z])", _initials),
    (r"\xc4[\xb0\xb1]|i\xcc\x87", _dotted),
    (r"\xd9[\x8b-\x92\x80\xb0]|\xd6[\x91-\xbd]", _unmarked),
    (r"""[A-Za-z]\\?"[aouAOUs][a-z]|[A-Za-z]\\["'`^~]\{?[aeiouyAEIOU]\}?[a-z]|\\ss\b""", _tex),
)  # fmt: skip
"""Patterns of bytes, each with what reads a text in which it stands."""
