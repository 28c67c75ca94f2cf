"""The rules of materialized views' columns."""

from __future__ import annotations

from typing import Any

import pytest

from envclone.errors import ConfigError, UnsafeError
from envclone.masking import rules
from envclone.masking.kinds import DomainSpec
from envclone.models import Field, FieldKind, Inventory, StorePlan


def _text(address: str, **more: Any) -> Field:
    return Field(address, "text", FieldKind.TEXT, base="text", **more)


def _date(address: str, **more: Any) -> Field:
    return Field(address, "date", FieldKind.OTHER, base="date", **more)


def _plan(declared: dict[str, Any], *fields: Field, **domains: DomainSpec) -> StorePlan:
    return rules.plan(declared, domains, Inventory("main", {f.address: f for f in fields}))


BASE = _text("public.people.name")
SHOWN = _text("public.found.name", shows="public.people.name")


def test_a_column_has_the_rule_of_the_column_that_it_shows() -> None:
    twice = _text("public.again.name", shows="public.found.name")
    plan = _plan({"public.people.name": "person"}, twice, SHOWN, BASE)
    assert {rule.domain for rule in plan.rules.values()} == {"person"} and len(plan.rules) == 3
    assert plan.rules["public.again.name"].address == "public.again.name"


@pytest.mark.parametrize(
    ("pattern", "domain", "becomes"),
    [
        ("public.*.*", "keep", "person"),
        ("public.found.*", "keep", "person"),
        ("public.*.name", "redact", "person"),
        ("public.found.*", "redact", "redact"),
        ("public.found.name", "keep", "keep"),
    ],
)
def test_which_other_rules_are_firmer(pattern: str, domain: str, becomes: str) -> None:
    plan = _plan({"public.people.name": "person", pattern: domain}, BASE, SHOWN)
    assert plan.rules["public.found.name"].domain == becomes


def test_a_computed_column_wants_a_rule_of_its_own_and_says_why() -> None:
    whole = _text("public.found.whole", computed=True)
    with pytest.raises(UnsafeError) as refused:
        _plan({"public.people.name": "person"}, BASE, SHOWN, whole)
    (problem,) = refused.value.problems
    assert problem.startswith("public.found.whole (text) is undeclared; this column of a materialized view is computed")
    assert "public.found.whole: text" in (refused.value.hint or "")
    assert _plan({"public.people.name": "person", "public.found.whole": "person"}, BASE, SHOWN, whole)


def test_what_is_told_of_the_base_is_not_told_again() -> None:
    with pytest.raises(UnsafeError) as refused:
        _plan({}, BASE, SHOWN)
    assert len(refused.value.problems) == 1


def test_a_generated_column_says_nothing_of_what_the_view_has() -> None:
    base = _text("public.people.shout", generated=True)
    with pytest.raises(UnsafeError, match=r"the rules of store"):
        _plan({}, base, _text("public.found.shout", shows="public.people.shout"))


def test_dates_keep_their_subject_in_the_view() -> None:
    stack = {"public.stays.night": {"domain": "date", "by": "who"}, "public.stays.who": "keep"}
    fields = [_date("public.stays.night"), _text("public.stays.who")]
    night = _date("public.found.night", shows="public.stays.night")
    plan = _plan(stack, *fields, night, _text("public.found.guest", shows="public.stays.who"))
    assert plan.rules["public.found.night"].by == "public.found.guest"
    with pytest.raises(ConfigError) as refused:
        _plan(stack, *fields, night)
    assert "which the view lacks: it wants a rule of its own" in refused.value.problems[0]
    own = {"public.found.night": "date"}
    assert _plan({**stack, **own}, *fields, night).rules["public.found.night"].by == ""


def test_documents_of_the_view_can_have_paths_that_the_table_s_no_longer_have() -> None:
    base = Field("public.people.doc", "jsonb", FieldKind.JSON, base="jsonb", paths=("$.name",))
    shown = Field(
        "public.found.doc", "jsonb", FieldKind.JSON, base="jsonb", paths=("$.name", "$.old"), shows=base.address
    )
    with pytest.raises(UnsafeError) as refused:
        _plan({"public.people.doc": {"$.name": "person"}}, base, shown)
    assert [problem for problem in refused.value.problems if "$.old is undeclared" in problem]
    plan = _plan({"public.people.doc": {"$.name": "person", "$.old": "redact"}}, base, shown)
    assert {(r.path, r.domain) for r in plan.rules["public.found.doc"].json} >= {
        ("$.name", "person"),
        ("$.old", "redact"),
    }


def test_a_view_s_unique_index_refuses_what_can_make_values_equal() -> None:
    shown = _text("public.found.name", shows="public.people.name", unique=True)
    with pytest.raises(ConfigError) as refused:
        _plan({"public.people.name": "redact"}, BASE, shown)
    assert refused.value.problems[0].startswith("public.found.name: values are unique")
