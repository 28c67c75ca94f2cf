"""What is wrong with a domain of a step is said where the bundle is read, with how it is written."""

from __future__ import annotations

from typing import Any

import pytest

from envclone.incidents.bundle import HttpStep, SqlStep

CLAIMS = '{"sub": "a0000000-0000-4000-8000-000000000007"}'


@pytest.mark.parametrize(
    ("domains", "said"),
    [
        ({"request.jwt.claims": "uuid"}, "is a JSON document, and uuid is the domain of one value"),
        ({"request.jwt.claims": "uuid"}, "{request.jwt.claims: {$.key: uuid}}"),
        ({"request.jwt.claims.sub": "uuid"}, "neither a parameter nor a setting of this step"),
        ({"request.jwt.claims.sub": "uuid"}, "a member of a document: {request.jwt.claims: {$.sub: …}}"),
        ({"request.jwt.claims": {"sub": "uuid"}}, "'sub' is not a JSON path: write it as $.key"),
        ({"request.jwt.claims": {"$.a[0].b": "uuid"}}, "'$.a[0].b' is not a JSON path: write it as $.key"),
        ({"request.jwt.claims": {"$.a[0].b": "uuid"}}, "[*] means all elements"),
        ({"other": "uuid"}, "'other' is neither a parameter nor a setting of this step"),
    ],
)
def test_a_domain_that_cannot_be(domains: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError) as told:
        SqlStep(id="s", store="main", sql="SELECT 1", local={"request.jwt.claims": CLAIMS}, domains=domains)
    assert said in str(told.value)


@pytest.mark.parametrize(
    "domains",
    [
        {"request.jwt.claims": {"$.sub": "uuid", "$.user.email": "email", "$.groups[*]": "text", "$.by.*~": "email"}},
        {"request.jwt.claims": "text"},
        {"request.jwt.claims": "json"},
        {"request.jwt.claims": "keep"},
        {"app.user": "uuid"},
        {"1": {"$['odd key']": "person"}},
        {"2": "person"},
    ],
)
def test_domains_that_can_be(domains: dict[str, Any]) -> None:
    settings = {"request.jwt.claims": CLAIMS, "app.user": "{not json"}
    step = SqlStep(
        id="s", store="main", sql="SELECT $1, $2", parameters=[{"odd key": "x"}, "x"], local=settings, domains=domains
    )
    assert step.domains == domains


def test_paths_of_a_request_are_paths() -> None:
    assert HttpStep(id="s", store="api", path="/", ignore=["$.took"], domains={"$.name": "person", "q": "text"})
    with pytest.raises(ValueError, match=r"ignore: '\$.hits\[0\]' is not a JSON path"):
        HttpStep(id="s", store="api", path="/", ignore=["$.hits[0]"])
    with pytest.raises(ValueError, match=r"domains: '\$.hits\[0\]' is not a JSON path"):
        HttpStep(id="s", store="api", path="/", domains={"$.hits[0]": "person"})
