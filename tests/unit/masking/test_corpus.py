from __future__ import annotations

from pathlib import Path
from unicodedata import normalize

import pytest

from envclone.errors import UnsafeError
from envclone.masking.corpus import Corpus, CorpusBuilder
from envclone.masking.identities import identities
from envclone.masking.kinds import DomainSpec
from envclone.models import FieldKind, FieldRule, JsonRule
from envclone.packed import pack

DOMAINS = {"customer": DomainSpec("person"), "email": DomainSpec("email", unique=True)}


def build(*batches: tuple[str, list[str]]) -> Corpus:
    builder = CorpusBuilder()
    for kind, values in batches:
        builder.add(kind, values)
    return builder.build()


def test_distinct_sorted_and_trimmed() -> None:
    corpus = build(("person", ["Bo", " Al ", "Bo", "", "  "]), ("person", ["Al"]), ("username", ["ab@c"]))
    assert corpus.values("person") == ("Al", "Bo")
    assert corpus.counts() == {"person": 2, "username": 1} == {**corpus.counts()}
    assert len(corpus) == 3
    assert corpus.values("phone") == ()


def test_normalization_forms_are_one_and_long_texts_are_left_out() -> None:
    corpus = build(("person", ["José", normalize("NFD", "José"), "x" * 300]))
    assert corpus.values("person") == ("Jose", "José")  # as systems write it that know ASCII alone


def test_several_kinds_at_once_are_what_each_is_alone() -> None:
    columns = {
        "person": [pack(["Jane Doe", None, "Jürgen"]), pack(["Grace"])],
        "phone": [pack(["+49 30 1234567"])],
        "constant": [pack(["jane@doe", "+49 30 7654321", "x"])],
    }
    one, other = CorpusBuilder(), CorpusBuilder()
    one.take_all(columns)
    for kind, values in columns.items():
        for some in values:
            other.take(kind, some)
    assert one.build().digest == other.build().digest
    assert len(one.build()) >= 4


def test_digest_tells_identities_and_not_the_order() -> None:
    one = build(("person", ["Al", "Bo"]), ("username", ["ab@c"]))
    assert one.digest == build(("username", ["ab@c"]), ("person", ["Bo"]), ("person", ["Al"])).digest
    assert one.digest != build(("person", ["Al", "Bo", "Cy"]), ("username", ["ab@c"])).digest
    assert one.digest != build(("person", ["Al", "Bo", "ab@c"])).digest


def test_file(tmp_path: Path) -> None:
    path = tmp_path / "identities"
    path.write_text("old")
    path.chmod(0o644)
    corpus = build(("person", ["Al\nBo", "é"]), ("phone", ["1"]))
    corpus.save(path)
    assert path.stat().st_mode & 0o777 == 0o600
    loaded = Corpus.load(path)
    assert loaded.values("person") == corpus.values("person")
    assert loaded.digest == corpus.digest


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-8], lambda b: b.replace(b"Al", b"Am"), lambda b: b"", lambda b: b"[]\n"]
)
def test_damaged_file(tmp_path: Path, damage: object) -> None:
    path = tmp_path / "identities"
    build(("person", ["Al", "Bo"])).save(path)
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(UnsafeError, match="damaged"):
        Corpus.load(path)


def test_identities_of_each_kind_of_field() -> None:
    def found(rule: FieldRule, values: list[object], every: bool = False) -> dict[str, list[str]]:
        return dict(identities(rule, DOMAINS, values, every=every))

    assert found(FieldRule("t.a", FieldKind.TEXT, "customer"), ["Al", None]) == {"person": ["Al"]}
    assert found(FieldRule("t.a", FieldKind.ARRAY, "phone"), [["1", [None, "2"]], None]) == {"phone": ["1", "2"]}
    assert found(FieldRule("t.a", FieldKind.TEXT, "text"), ["Al"]) == {}
    assert found(FieldRule("t.a", FieldKind.TEXT, "text"), ["Al"], every=True) == {"text": ["Al"]}
    assert found(FieldRule("t.a", FieldKind.TEXT, "keep"), ["Al"], every=True) == {}
    assert found(FieldRule("t.a", FieldKind.OTHER, "null"), [7], every=True) == {"null": ["7"]}
    rules = (JsonRule("$.n", "customer"), JsonRule("$.p", "phone"), JsonRule("$.k", "keep"), JsonRule("$.r", "redact"))
    document = '{"n":"J\\u00e9","p":123,"k":"x","r":"secret"}'
    rule = FieldRule("t.a", FieldKind.JSON, "keep", rules)
    assert found(rule, [document, None]) == {"person": ["Jé"], "phone": ["123"], "redact": ["secret"]}
    assert found(rule, [document], every=True) == {"person": ["Jé"], "phone": ["123"], "redact": ["secret"]}
    with pytest.raises(UnsafeError, match="no rule covers"):
        found(rule, ['{"new":"x"}'])


def test_what_is_found_by_its_form_is_not_kept() -> None:
    corpus = build(("email", ["jane@corp.com", "jdoe82", "odd@@x"]), ("phone", ["+49 (30) 901820-5", "12 34"]))
    assert corpus.values("email") == ("jdoe82", "odd@@x")
    assert corpus.values("phone") == ("12 34", "309018205")
