"""Objects as YAML: what is read back is what was written, plain and as a template, and comments change nothing."""

from __future__ import annotations

import json
import string
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from envclone.manifests.text import File, Of, Why, chart, plain, reference, resolved
from tests.unit.manifests.rendering import rendered, said

_TEXTS = st.text(st.characters(codec="utf-8"), max_size=30) | st.sampled_from(
    [
        "no",
        "True",
        "~",
        "1e3",
        "e3",
        "0x1f",
        "2026-01-01",
        "a: b",
        "- a",
        "{{ x }}",
        "a\nb\n",
        " a\nb",
        "a\n\nb",
        "a \n",
    ]
)
_NODES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _TEXTS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(_TEXTS, inner, max_size=4)
        | st.builds(Why, inner, st.text(string.printable, max_size=20))
    ),
    max_leaves=15,
)


@settings(max_examples=40)
@given(st.dictionaries(_TEXTS, _NODES, min_size=1, max_size=4))
def test_what_is_read_back_is_what_was_written(node: dict[str, Any]) -> None:
    assert yaml.safe_load(plain(node, {})) == resolved(node, {})


@settings(max_examples=40)
@given(st.dictionaries(_TEXTS, _NODES, min_size=1, max_size=4), st.text(string.ascii_letters + ':"#{} ', max_size=9))
def test_a_template_renders_to_the_same(node: dict[str, Any], value: str) -> None:
    values = {"a": {"b-c": value}, "image": "x"}
    whole = {
        **node,
        "set": Of(("a", "b-c")),
        "image": Of(("image",), include="envclone.image"),
        "file": File("f", "t\n"),
    }
    (found,) = rendered({"templates/one.yaml": chart(whole), "files/f": "t\n"}, values)
    assert found == said(resolved(whole, values)) == said(yaml.safe_load(plain(whole, values)))


def test_comments_stand_above_what_they_explain() -> None:
    node = {"verbs": [Why("get", "get: to look"), "list"], "spec": Why({"a": 1}, "two\nlines")}
    assert plain(node, {}) == "verbs:\n  # get: to look\n  - get\n  - list\n# two\n# lines\nspec:\n  a: 1\n"


@pytest.mark.parametrize(("path", "said"), [(("a", "b"), ".Values.a.b"), (("a", "b-c"), '(index .Values "a" "b-c")')])
def test_keys_that_a_template_cannot_spell_are_looked_up(path: tuple[str, ...], said: str) -> None:
    assert reference(path) == said


def test_texts_of_several_lines_are_blocks() -> None:
    text = 'first:\n  - second\n\nlast: {a: "b"}\n'
    assert plain({"file": text}, {}).startswith("file: |\n  first:\n    - second\n\n  last:")
    assert json.loads(plain({"file": "a\tb"}, {}).removeprefix("file: ")) == "a\tb"
