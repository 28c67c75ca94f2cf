from __future__ import annotations

import pytest
import yaml

from envclone.errors import ConfigError
from envclone.scan.propose import Proposal
from envclone.scan.write import added, require_writable

EMAIL = Proposal("public.t.c1", "", "text", "email", 0.97, "100% of 9 are e-mail addresses", "sian@kuk.com")
PATH = Proposal("public.t.doc", "$.a", "jsonb", "person", 0.8, "names", "Sian")
OTHER = Proposal("public.t.doc", "$.b", "jsonb", "keep", 0.7, "no text", "")
VECTOR = Proposal("public.t.v", "", "vector(3)", "keep", 1.0, "a vector: name it to keep it", "", "vectors")
ODD = Proposal('odd schema.T "x".c', "", "text", "null", 0.5, "its name", "Xxxx")

FILES = {
    "full": "version: 1\nsanitize:\n  # ours\n  rules:\n    main:\n      public.t.id: keep  # a key\n\nincidents: i/\n",
    "no store": "version: 1\nsanitize:\n  rules:\n    kb:\n      a: keep\n",
    "no rules": "version: 1\nsanitize:\n  domains:\n    x: {kind: email}\nproject: p\n",
    "empty rules": "version: 1\nsanitize:\n  rules:\nproject: p\n",
    "nothing": "version: 1\nproject: p\n",
    "deep": "sanitize:\n    rules:\n        main:\n            public.t.id:\n                $.a: keep\nproject: p\n",
}


@pytest.mark.parametrize("name", FILES)
def test_rules_go_where_they_belong_and_nothing_else_changes(name: str) -> None:
    before = FILES[name]
    after = added(before, {"main": [EMAIL, PATH, OTHER, VECTOR, ODD]})
    document = yaml.safe_load(after)
    rules = document["sanitize"]["rules"]["main"]
    assert rules["public.t.c1"] == "email"
    assert rules["public.t.doc"] == {"$.a": "person", "$.b": "keep"}
    assert rules["public.t.v"] == {"vectors": "keep"}
    assert rules['odd schema.T "x".c'] == "null"
    kept = after.splitlines()
    assert [line for line in kept if line in before.splitlines()] == before.splitlines()
    assert "public.t.c1: email\n" in after, "what is sure has no remark"
    assert "# its name; such as: Xxxx" in after
    old = yaml.safe_load(before)
    assert {k: v for k, v in document.items() if k != "sanitize"} == {k: v for k, v in old.items() if k != "sanitize"}


FLOW = {
    "rules": "sanitize: {rules: {main: {a.b.c: keep, public.t.doc: {$.x: 'a # b'}}}}  # ours\nproject: p\n",
    "two lines": "sanitize:\n  rules: {main: {a.b.c: keep,\n    public.t.doc: {$.x: 'a # b'}}}\nproject: p\n",
    "a field": "sanitize:\n  rules:\n    main:\n      a.b.c: keep\n      public.t.doc: {$.x: 'a # b'}\nproject: p\n",
}


@pytest.mark.parametrize("name", FLOW)
def test_a_mapping_in_one_line_becomes_a_block(name: str) -> None:
    document = yaml.safe_load(added(FLOW[name], {"main": [EMAIL, PATH]}))
    assert document["project"] == "p"
    assert document["sanitize"]["rules"]["main"] == {
        "a.b.c": "keep", "public.t.c1": "email", "public.t.doc": {"$.x": "a # b", "$.a": "person"},
    }  # fmt: skip


def test_what_cannot_be_edited_is_refused_before_anything_is_looked_at() -> None:
    with pytest.raises(ConfigError, match="comment"):
        require_writable("sanitize: {rules: {main: {a: keep, # why\n  b: keep}}}\n", ["main"])
    with pytest.raises(ConfigError, match="alias"):
        require_writable("x: &x {a: keep}\nsanitize: {rules: {main: *x}}\n", ["main"])
    with pytest.raises(ConfigError, match="not a mapping"):
        require_writable("sanitize: 5\n", ["main"])
    with pytest.raises(ConfigError, match="braces"):
        require_writable("{version: 1, sanitize: {}}\n", ["main"])
    require_writable("version: 1\nsanitize: {}\n", ["main"])
