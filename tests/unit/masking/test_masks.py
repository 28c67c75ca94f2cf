from __future__ import annotations

import json

import pytest

from envclone.errors import ConfigError, UnsafeError
from envclone.keys import key_id
from envclone.masking.corpus import Corpus
from envclone.masking.kinds import DomainSpec
from envclone.masking.masks import MaskSet
from envclone.models import FieldKind, FieldRule, JsonRule
from envclone.protocols import Masks
from tests.unit.masking.conftest import KEY, OTHER_KEY

DOMAINS = {"customer": DomainSpec("person"), "agent": DomainSpec("person"), "login": DomainSpec("email", unique=True)}
MASKS = MaskSet(KEY, DOMAINS, Corpus({"person": ("Jane Doe",)}))
JANE = str(MASKS.value("customer", "Jane"))


def field(kind: FieldKind, domain: str, *rules: JsonRule) -> FieldRule:
    return FieldRule("public.t.c", kind, domain, rules)


def test_is_what_the_stores_expect() -> None:
    masks: Masks = MASKS
    assert masks.key_id == key_id(KEY)


def test_key_id_reveals_nothing_of_the_key() -> None:
    assert len(key_id(KEY)) == 13
    assert key_id(KEY).startswith("k")
    int(key_id(KEY)[1:], 16)
    assert key_id(KEY) != key_id(OTHER_KEY)
    assert key_id(KEY)[1:] not in KEY.hex()
    assert KEY.hex() not in repr(vars(MASKS))


def test_short_keys_are_refused() -> None:
    with pytest.raises(ConfigError, match="too short"):
        MaskSet(b"short", {})


def test_domains_of_one_kind_agree() -> None:
    assert MASKS.value("customer", "Jane Doe") == MASKS.value("agent", "Jane Doe") == MASKS.value("person", "Jane Doe")
    assert str(MASKS.value("login", "jane@x.org")).startswith(JANE.lower())
    assert MASKS.text(["Jane's"]) == [f"{JANE}'s"]
    assert MASKS.value("text", "Jane's") == f"{JANE}'s"


def test_text_fields() -> None:
    assert MASKS.field(field(FieldKind.TEXT, "customer"))(["Jane", None, "", " "]) == [JANE, None, "", " "]
    assert MASKS.field(field(FieldKind.TEXT, "keep"))(["Jane", None]) == ["Jane", None]
    assert MASKS.field(field(FieldKind.TEXT, "null"))(["Jane", None]) == [None, None]
    assert MASKS.field(field(FieldKind.TEXT, "redact"))(["Jane"]) == ["Xxxx"]
    assert MASKS.field(field(FieldKind.TEXT, "text"))(["by Jane", None]) == [f"by {JANE}", None]


def test_array_fields() -> None:
    mask = MASKS.field(field(FieldKind.ARRAY, "customer"))
    assert mask([["Jane", None, ["Jane", []]], None, []]) == [[JANE, None, [JANE, []]], None, []]
    with pytest.raises(UnsafeError, match="array"):
        mask([[7]])


def test_json_fields() -> None:
    rules = (JsonRule("$.name", "customer"), JsonRule("$.x", "null"), JsonRule("$.k", "keep"))
    mask = MASKS.field(field(FieldKind.JSON, "keep", *rules))
    assert mask(['{"name": "Jane", "x": [], "k": 1}', None]) == [f'{{"name": "{JANE}", "x": [], "k": 1}}', None]
    with pytest.raises(UnsafeError, match=r"public\.t\.c: no rule covers the path \$\.new"):
        mask(['{"new": "x"}'])
    whole = MASKS.field(field(FieldKind.JSON, "customer"))
    assert json.loads(whole(['{"a": ["Jane", 1, true, null]}'])[0]) == {"a": [JANE, 1, True, None]}
    assert MASKS.field(field(FieldKind.JSON, "null"))(["{}"]) == [None]
    assert MASKS.field(field(FieldKind.JSON, "keep"))(["not read"]) == ["not read"]


def test_other_fields_are_kept_or_emptied() -> None:
    assert MASKS.field(field(FieldKind.OTHER, "keep"))([7]) == [7]
    assert MASKS.field(field(FieldKind.OTHER, "null"))([7]) == [None]
    with pytest.raises(ConfigError, match="cannot mask values of type unknown"):
        MASKS.field(field(FieldKind.OTHER, "customer"))
    with pytest.raises(UnsafeError, match="none"):
        MASKS.field(field(FieldKind.TEXT, "customer"))([7])


def test_unknown_domain() -> None:
    with pytest.raises(ConfigError, match="no domain 'people'"):
        MASKS.mask_for("people")


def test_the_same_key_gives_the_same_image_and_another_another() -> None:
    texts = ["Jane Doe", "jane@doe.org", "+1 555 123 4567"]
    for domain, text in zip(("person", "email", "phone"), texts, strict=True):
        assert MaskSet(KEY, {}).value(domain, text) == MASKS.value(domain, text)
        assert MaskSet(OTHER_KEY, {}).value(domain, text) != MASKS.value(domain, text)
