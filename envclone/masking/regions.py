"""Countries by their codes and names, and their calling codes (ITU-T E.164): lists that are shipped."""

from __future__ import annotations

from functools import cache
from importlib import resources

__all__ = ["calling_codes", "country_codes", "country_names"]


@cache
def calling_codes() -> frozenset[str]:
    """Every country calling code."""
    return frozenset(_lines()[0].split())


@cache
def country_codes() -> frozenset[str]:
    """Every code of two letters, in capitals."""
    return frozenset(_lines()[1].split())


@cache
def country_names() -> frozenset[str]:
    """What countries are called in many languages, without casing."""
    return frozenset(_lines()[2:])


@cache
def _lines() -> list[str]:
    return (resources.files("envclone.masking") / "data" / "regions.txt").read_text(encoding="utf-8").splitlines()
