"""The page of an attestation: verdict and exceptions first, then the account, rules folded by table, last the image."""

from __future__ import annotations

import re
from typing import Any

from envclone.pages.attestation import html, sections

ADDRESSES = ("public.people.email", "public.people.name", "public.tickets.body")


def _statement() -> dict[str, Any]:
    rules = {address: {"domain": "email"} for address in ADDRESSES} | {"public.people.id": {"domain": "keep"}}
    figures = {"classes": dict.fromkeys(("structure", "masked", "kept", "derived", "zero", "not decoded"), 1000)}
    return {
        "image": {
            "id": "img-1",
            "environment": "prod",
            "created_at": "2026-11-20T22:05:00+00:00",
            "rules_digest": "d" * 64,
            "key_id": "k1",
            "raw": {
                "id": "prod-1",
                "created_at": "2026-11-20T22:04:00+00:00",
                "consistency": "single",
                "stores": {"main": {"kind": "postgres", "engine_version": "18.4", "method": "physical"}},
            },
        },
        "files": {"count": 1000, "manifest": "m" * 64},
        "stores": {
            "main": {
                "plan": {"rules": rules},
                "rewrite": {
                    "method": "in place",
                    "seconds": 1.5,
                    "rows": dict.fromkeys(ADDRESSES, 200),
                    "values": dict.fromkeys(ADDRESSES, 200),
                },
                "cleaned": [{"what": "role passwords removed", "count": 2, "detail": "app, <b>"}],
            }
        },
        "checks": {
            "rows": {"main": {"public.people": 200, "public.tickets": 100}},
            "integrity": {},
            "references": [],
            "fidelity": {"main": {"public.i": {"fraction": None, "unasked": "its values cannot be read"}}},
            "fields": {"originals": 600, "values_searched": 900, "coincidences": {}},
            "files": {"files": 10, "bytes": 6000, "values_searched": 9, "residue_hits": 0, "stores": {"main": figures}}
            | figures,
            "accepted": [{"field": "public.t.a", "kind": "person", "times": 3, "reason": "a brand's founder"}],
        },
        "not_guaranteed": ["embeddings can be inverted in part"],
    }


def test_what_counts_comes_first() -> None:
    titles = [section.title for section in sections(_statement())]
    assert titles == [
        "Verdict", "Exceptions", "Account of the bytes", "Checked before it was published", "Not guaranteed",
        "Masked in main", "Kept in main", "Cleaned and disarmed in main", "Image img-1",
    ]  # fmt: skip


def test_every_exception_is_with_the_verdict() -> None:
    verdict, exceptions, *_ = sections(_statement())
    assert "with 3 exceptions" in verdict.text
    assert [what for what, _ in exceptions.rows] == [
        "public.t.a: person, 3 times", "vector index public.i of main", "1,000 bytes that nobody here can decode",
    ]  # fmt: skip
    clean = _statement()
    clean["checks"]["accepted"] = []
    clean["checks"]["fidelity"] = {}
    assert "with one exception, which follows" in next(iter(sections(clean))).text
    clean["checks"]["files"]["classes"] = clean["checks"]["files"]["classes"] | {"not decoded": 0}
    first, second, *_ = sections(clean)
    assert "without an exception" in first.text and second.title == "Account of the bytes"


def test_rules_are_folded_by_table_and_nothing_is_fetched() -> None:
    page = html(_statement())
    assert re.findall(r"<summary>(\S+) <span>(\d)</span>", page) == [
        ("public.people", "2"), ("public.tickets", "1"), ("public.people", "1"),
    ]  # fmt: skip
    assert "<b>" not in page and "<script" not in page and "http" not in page.replace("http-equiv", "")
    assert 'name="viewport"' in page and "max-width: 40rem" in page


def test_what_nothing_holds_stands_under_its_own_name() -> None:
    statement = _statement()
    statement["stores"]["main"]["plan"]["rules"] = {"articles": {"domain": "email"}, "docs.a": {"domain": "keep"}}
    assert re.findall(r"<summary>(\S*) <span>(\d)</span>", html(statement)) == [("articles", "1"), ("docs", "1")]
