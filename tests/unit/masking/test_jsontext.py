from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envclone.errors import UnsafeError
from envclone.masking import jsontext
from envclone.masking.jsontext import Leaf, leaves, mask_json, mask_many, ways
from envclone.masking.masks import MaskSet
from envclone.masking.simple import KeepMask
from envclone.models import JsonRule
from tests.unit.masking.conftest import KEY

MASKS = MaskSet(KEY, {})
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()
)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=6), inner, max_size=4)),
)


def masked_with(text: str, rules: dict[str, str]) -> str:
    return mask_json(text, [JsonRule(path, domain) for path, domain in rules.items()], MASKS.mask_for)


def scalars(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in scalars(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in scalars(item)]
    return [] if value is None else [value]


@given(DOCUMENTS, st.booleans(), st.sampled_from([None, 2]))
def test_leaves_are_all_scalars(document: Any, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(document, ensure_ascii=ascii_only, indent=indent)
    found = [leaf.value if leaf.kind == "string" else json.loads(leaf.value) for leaf in leaves(text)]
    assert found == scalars(document)


@given(DOCUMENTS)
def test_a_large_document_has_the_same_ways(document: Any) -> None:
    text = json.dumps(document)
    wanted = ways(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsontext, "_LARGE", 0)
        assert ways(text) == wanted
        with pytest.raises(UnsafeError, match="not valid JSON"):
            ways(text + "}")


@given(DOCUMENTS, st.booleans(), st.sampled_from([None, 1]))
def test_only_strings_change_and_no_length(document: Any, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(document, ensure_ascii=ascii_only, indent=indent)
    masked = masked_with(text, {"$.**": "person"})
    assert len(masked) == len(text)
    assert len(masked.encode("utf-8", "surrogatepass")) == len(text.encode("utf-8", "surrogatepass"))
    person = MASKS.mask_for("person")
    assert person is not None

    def expected(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: expected(item) for key, item in value.items()}
        if isinstance(value, list):
            return [expected(item) for item in value]
        return person.mask([value])[0] if isinstance(value, str) else value

    assert json.loads(masked) == expected(document)


@given(DOCUMENTS)
def test_keep_is_byte_identical(document: Any) -> None:
    text = json.dumps(document, indent=3)
    assert masked_with(text, {"$.**": "keep"}) == text


def test_everything_else_stays_as_it_is() -> None:
    text = '{ "b":1.0e+5 ,"a" : "Jane", "a":\t"Jos\\u00e9 \\ud83d\\ude42 \\/ \\n", "n":null,"t":true}\n'
    masked = masked_with(text, {"$.a": "person", "$.b": "keep", "$.t": "keep"})
    assert masked.startswith('{ "b":1.0e+5 ,"a" : "')
    assert masked.endswith(' \\ud83d\\ude42 \\/ \\n", "n":null,"t":true}\n')
    assert "\\u00e9" not in masked
    assert "Jane" not in masked
    assert len(masked) == len(text)


def test_escapes_are_spelled_as_they_were() -> None:
    masked = masked_with(r'"\u00E9\u00e9\uD840\uDC0Aé"', {"$": "person"})
    assert masked[1:7][2:] == masked[1:7][2:].upper()
    assert masked[7:13][2:] == masked[7:13][2:].lower()
    assert re.fullmatch(r'"\\u00[0-9A-F]{2}\\u00[0-9a-f]{2}\\uD8[0-9A-F]{2}\\uD[C-F][0-9A-F]{2}[à-ü]"', masked)


def test_paths() -> None:
    text = '{"user":{"email":"x"},"contacts":[{"phone":"1"},{"phone":2}],"odd key":[["y"]],"it\'s":true,"none":null}'
    assert list(leaves(text)) == [
        Leaf("$.user.email", "string", "x"),
        Leaf("$.contacts[*].phone", "string", "1"),
        Leaf("$.contacts[*].phone", "number", "2"),
        Leaf("$['odd key'][*][*]", "string", "y"),
        Leaf("$['it\\'s']", "bool", "true"),
    ]
    assert list(leaves('"root"')) == [Leaf("$", "string", "root")]
    for leaf in leaves(text):
        assert masked_with(text, {leaf.path: "keep", "$.**": "keep"}) == text


@pytest.mark.parametrize(
    ("pattern", "hit", "missed"),
    [
        ("$.a.b", ['{"a":{"b":"J"}}'], ['{"a":{"c":"J"}}', '{"a":{"b":{"c":"J"}}}', '{"a":[{"b":"J"}]}']),
        ("$.a[*]", ['{"a":["J"]}'], ['{"a":"J"}', '{"a":[["J"]]}']),
        ("$.a[].b", ['{"a":[{"b":"J"}]}'], ['{"a":{"b":"J"}}']),
        ("$.a.*", ['{"a":{"z":"J"}}'], ['{"a":["J"]}', '{"a":{"z":{"y":"J"}}}']),
        ("$.a.**", ['{"a":{"z":"J"}}', '{"a":[{"z":["J"]}]}', '{"a":"J"}'], ['{"b":"J"}']),
        ("$..b", ['{"b":"J"}', '{"a":[{"b":"J"}]}'], ['{"b":{"c":"J"}}']),
        ("$['a.b']", ['{"a.b":"J"}'], ['{"a":{"b":"J"}}']),
        ("$", ['"J"'], ['{"a":"J"}']),
    ],
)
def test_patterns(pattern: str, hit: list[str], missed: list[str]) -> None:
    for text in hit:
        assert "J" not in masked_with(text, {pattern: "person"})
    for text in missed:
        with pytest.raises(UnsafeError, match="no rule covers"):
            masked_with(text, {pattern: "person"})


def test_the_most_specific_rule_decides() -> None:
    rules = {"$.**": "redact", "$.a.*": "keep", "$.a.b": "person", "$..z": "null"}
    masked = json.loads(masked_with('{"a":{"b":"Jane","c":"Jane"},"d":"Jane","e":{"z":"Jane"}}', rules))
    assert masked["a"]["c"] == "Jane"
    assert masked["a"]["b"] == MASKS.value("person", "Jane")
    assert masked["d"] == "Xxxx"
    assert masked["e"]["z"] is None


def test_numbers() -> None:
    masked = json.loads(masked_with('{"phone":5551234567,"n":120}', {"$.phone": "phone", "$.n": "redact"}))
    assert str(masked["phone"]) == MASKS.value("phone", "5551234567")
    assert masked["n"] == 100
    with pytest.raises(UnsafeError, match=r"payload: \$\.n holds a number"):
        mask_many(['{"n":1}'], [JsonRule("$.n", "person")], MASKS.mask_for, field="payload")
    assert masked_with('{"n":1}', {"$.*": "person"}) == '{"n":1}'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"a":}',
        "[1,]",
        '{"a":"b"}x',
        "'a'",
        '"\t"',
        "01",
        "[1 2]",
        '{"a" "b"}',
        '{1:"a"}',
        "nul",
        "]",
        '"\\x"',
    ],
)
def test_invalid_json_names_the_field_and_not_the_value(text: str) -> None:
    with pytest.raises(UnsafeError, match=r"public\.t\.c: .*not valid JSON") as caught:
        mask_many([text], [JsonRule("$.**", "keep")], MASKS.mask_for, field="public.t.c")
    assert not text or len(text) < 2 or text not in str(caught.value)
    with pytest.raises(json.JSONDecodeError):
        json.loads(text)


def test_deep_nesting_needs_no_stack() -> None:
    text = "[" * 5000 + '"Jane"' + "]" * 5000
    assert len(masked_with(text, {"$.**": "person"})) == len(text)


def test_a_batch_is_masked_at_once() -> None:
    calls: list[int] = []

    class Counting:
        def mask(self, values: Any) -> list[str]:
            calls.append(len(values))
            return [value[::-1] for value in values]

    masked = mask_many(['{"a":"xy"}', '["pq","rs"]'], [JsonRule("$.**", "d")], lambda _: Counting())
    assert masked == ['{"a":"yx"}', '["qp","sr"]']
    assert calls == [3]


@pytest.mark.parametrize("text", ['"' + "a" * 200, '{"k": "' + "a" * 200, '["' + "a" * 200 + "\n", '{"' + "a" * 200])
def test_a_string_without_an_end_is_refused_at_once(text: str) -> None:
    with pytest.raises(UnsafeError, match="not valid JSON"):
        mask_json(text, [JsonRule("$.**", "text")], MaskSet(KEY, {}).mask_for)


def _keyed(text: str, **more: str) -> str:
    upper = type("Upper", (), {"mask": lambda self, values: [value.upper() for value in values]})()
    masks: dict[str, Any] = {"keep": KeepMask(), "upper": upper}
    rules = [JsonRule("$.**", "keep"), *(JsonRule(path, domain) for path, domain in more.items())]
    return mask_json(text, rules, masks.__getitem__, field="t.c")


def test_keys_are_masked_where_a_path_ends_in_a_tilde() -> None:
    text = '{"a": {"x\\u0079": {"k": "v"}, "e": {}, "n": null}, "b": [{"x": 1}], "a~": 1}'
    assert _keyed(text, **{"$.a.*~": "upper"}) == text.replace("x\\u0079", "X\\u0059").replace('"e"', '"E"').replace(
        '"n"', '"N"'
    )
    assert _keyed(text, **{"$.b[*].x~": "upper"}) == text.replace('{"x": 1}', '{"X": 1}')
    assert _keyed('{"a": {"b": {"c": 1}}}', **{"$..*~": "upper"}) == '{"A": {"B": {"C": 1}}}'
    assert _keyed('{"a~": 1, "a": 2}', **{"$['a~']": "keep"}) == '{"a~": 1, "a": 2}'


def test_values_below_a_masked_key_are_decided_by_the_key_of_production() -> None:
    text = '{"a": {"k": "v", "l": "w"}}'
    assert _keyed(text, **{"$.*~": "upper", "$.a.k": "upper"}) == '{"A": {"k": "V", "l": "w"}}'


def test_keys_of_one_object_that_become_equal_are_refused() -> None:
    with pytest.raises(UnsafeError, match="two keys of one object") as refused:
        _keyed('{"a": {"anna": 1, "ANNA": 2}}', **{"$.a.*~": "upper"})
    assert "anna" not in str(refused.value).lower()
    twice = '{"a": {"anna": 1}, "b": {"ANNA": 1}}'
    assert _keyed(twice, **{"$.a.*~": "upper"}) == twice.replace("anna", "ANNA")
