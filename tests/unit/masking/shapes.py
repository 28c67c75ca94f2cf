"""What every shape-keeping mask promises, as one check."""

from __future__ import annotations

from unicodedata import category, is_normalized, normalize

ALONE = frozenset("İẞǰǮǯẛ\u0374\U0001e94b")
"""Letters that no other one can stand for."""


def maskable(text: str) -> bool:
    return any((c.isalpha() or c.isdecimal()) and c not in ALONE for c in normalize("NFC", text))


def check_shape(before: str, after: str) -> None:
    assert len(after) == len(before)
    assert len(after.encode("utf-8", "surrogatepass")) == len(before.encode("utf-8", "surrogatepass"))
    for old, new in zip(before, after, strict=True):
        assert old.isalpha() == new.isalpha()
        assert old.isdecimal() == new.isdecimal()
        assert old.isupper() == new.isupper()
        assert old.islower() == new.islower()
        if not old.isalpha() and not old.isdecimal() and category(old)[0] != "M":
            assert old == new
    for form in ("NFC", "NFD"):
        assert is_normalized(form, before) == is_normalized(form, after)
