"""The page of an incident as markup: what stands where, and nothing of production's is markup."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from envclone.pages.report.page import html
from envclone.pages.report.values import Cause, Evidence, Outcome
from tests.unit.pages.report.samples import SAMPLES, typical

_ELEMENTS = {
    "html", "head", "meta", "title", "style", "body", "header", "nav", "main", "footer", "section", "article", "p", "b",
    "i", "h1", "h2", "h3", "dl", "dt", "dd", "div", "ul", "ol", "li", "a", "span", "code", "pre", "table", "thead",
    "tbody", "tr", "th", "td", "details", "summary", "svg", "rect", "path", "text", "circle",
}  # fmt: skip
_VOID = {"meta"}


class _Reader(HTMLParser):
    """What a page consists of, and whether it closes what it opens."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def _read(page: str) -> _Reader:
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert not reader.open
    return reader


@pytest.mark.parametrize("name", SAMPLES)
def test_nothing_but_our_own_markup(name: str) -> None:
    page = html(SAMPLES[name])
    found = _read(page).found
    assert {tag for tag, _ in found} <= _ELEMENTS
    names = {attribute for _, attributes in found for attribute in attributes}
    assert not {one for one in names if one.startswith("on")} and not names & {"style", "src", "srcset", "action"}
    assert all((attributes.get("href") or "#").startswith("#") for _, attributes in found)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f]", page)


@pytest.mark.parametrize("name", SAMPLES)
def test_landmarks_headings_and_links(name: str) -> None:
    found = _read(html(SAMPLES[name])).found
    tags = [tag for tag, _ in found]
    assert [tags.count(one) for one in ("header", "nav", "main", "footer", "h1")] == [1, 1, 1, 1, 1]
    anchors = {attributes["id"] for _, attributes in found if "id" in attributes}
    assert {str(attributes["href"])[1:] for tag, attributes in found if tag == "a"} <= anchors
    for tag, attributes in found:
        if tag == "section":
            assert attributes["aria-labelledby"] in anchors
        if tag == "th":
            assert attributes["scope"] == "col"
        if tag == "svg":
            assert attributes.get("aria-hidden") == "true" or (attributes["role"] == "img" and attributes["aria-label"])


def test_the_story_leads() -> None:
    page = html(typical())
    before, _, after = page.partition("<nav")
    assert "The index does not reach the chunk" in before.partition("<h1>")[2]
    for word in ("Asked", "Happened", "Why", "Evidence", "reproduced", "3 of 3 steps"):
        assert word in before
    assert before.count("envclone diagnose 1234 --step retrieve") == 1
    assert all(title in after for title in ("Sweeps", "Timeline", "Parity", "Attestation", "What is unknown"))


def test_side_by_side_says_how_each_result_stands() -> None:
    page = html(SAMPLES["hard"])
    assert ">production #" in page and ">missed<" not in page
    assert html(typical()).count(">missed<") == 10
    assert ">not in production<" in html(SAMPLES["errors"])
    assert "exact search" not in html(SAMPLES["errors"]).partition("<main>")[2]


def test_what_is_cut_says_so() -> None:
    page = html(SAMPLES["hard"])
    assert "<summary>50 more" in page and "<summary>270 more" in page and "4,321 more calls" in page
    assert "and 32 more" in page  # changes of the state


def test_without_a_cause_it_says_that_none_is_settled() -> None:
    base = typical()
    page = html(replace(base, story=replace(base.story, causes=())))
    assert "why is not settled" in page and "No cause was found" in page
    unsure = Cause("drift", "perhaps", (Evidence("e"),), certain=False)
    page = html(replace(base, story=replace(base.story, causes=(unsure,), outcome=Outcome.OTHERWISE)))
    assert "Candidates, none of them settled" in page and "answers otherwise" in page
