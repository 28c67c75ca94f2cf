"""The service's pages: everything is escaped, what a role may not do is not there, nothing comes from outside."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from envclone.pages.board import branches, jobs, others
from envclone.pages.board.frame import SCRIPT, SCRIPT_AT, STYLE, STYLE_AT, local, place
from envclone.pages.board.values import Confirm, Frame, LoginPage, Overview
from tests.unit.pages.board.samples import BRANCH, FRAME, HARD, JOB, NOW, PAGES, ROW, page_of

VIEWER = replace(FRAME, role="viewer", may=frozenset())


class Parsed(HTMLParser):
    """What a browser makes of a page: its elements, and the attributes that act."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.urls: list[str] = []
        self.attributes: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        self.urls += [value or "" for name, value in attrs if name in ("href", "src", "action")]


@pytest.mark.parametrize("name", HARD)
def test_hostile_values_are_text_and_nothing_else(name: str) -> None:
    """Names, logs, texts of incidents: none becomes an element, an attribute, or an address elsewhere."""
    hostile, plain = Parsed(HARD[name]), Parsed(page_of("prod-1")[name])
    assert set(hostile.tags) <= set(plain.tags) and hostile.tags.count("script") == 1
    assert not [one for one in hostile.attributes if one.startswith("on") or one == "style"]
    assert all(url.startswith(("/", "#")) and not url.startswith("//") for url in hostile.urls)
    assert "\x1b" not in HARD[name] and "\u202e" not in HARD[name]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_runs_and_fetches_its_own_files_alone(name: str) -> None:
    text = PAGES[name]
    assert re.findall(r"<script[^>]*>", text) == [re.search(r"<script[^>]*>", text)[0]]  # type: ignore[index]
    assert f'src="{SCRIPT_AT}"' in text and f'href="{STYLE_AT}"' in text and "<style" not in text
    assert not re.search(r"\son[a-z]+=|\sstyle=|javascript:", text)
    assert not re.search(r'(?:src|href|action)="(?:https?:)?//', text)
    assert "url(" not in STYLE and "@import" not in STYLE and "innerHTML" not in SCRIPT and "eval" not in SCRIPT


@pytest.mark.parametrize("name", PAGES)
def test_each_form_has_the_sessions_token(name: str) -> None:
    """But one that only asks, which would put it into an address."""
    forms = re.findall(r"<form[^>]*>.*?</form>", PAGES[name], re.DOTALL)
    asking = [form for form in forms if 'role="search"' in form]
    assert all('method="get"' in form and "t0ken" not in form for form in asking)
    rest = [form for form in forms if form not in asking]
    assert rest and all('name="csrf" value="t0ken"' in form and 'method="post"' in form for form in rest)


def test_a_path_is_one_segment_whatever_the_name_is() -> None:
    assert place() == "/" and place("branches", "a/../b?c#d") == "/branches/a%2F..%2Fb%3Fc%23d"


@pytest.mark.parametrize("path", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_no_link_leads_elsewhere(path: str) -> None:
    assert local(path) == "/"
    page = others.confirm(FRAME, Confirm("x", "y", path, "Do it", path))
    assert "evil" not in page and "alert" not in page


def test_what_a_role_may_not_do_is_not_shown() -> None:
    theirs = replace(ROW, mine=False)
    page = branches.branch(VIEWER, replace(BRANCH, row=theirs, login="no"))
    forms = re.findall(r'<form[^>]*action="([^"]*)"', page)
    assert forms == ["/logout"] and "Stop" not in page and "Remove" not in page and "/audit" not in page
    other = branches.branch(FRAME, replace(BRANCH, row=theirs, login="no"))
    assert "Stop…" not in other and "Remove…" not in other
    overview = branches.overview(VIEWER, Overview(NOW, (theirs,), environments=("prod",)))
    assert "Make a branch" not in overview
    assert 'action="/branches/prod-1234/login"' in branches.branch(FRAME, BRANCH)
    assert "End it" in jobs.job(FRAME, JOB, NOW) and "End it" not in jobs.job(VIEWER, replace(JOB, mine=False), NOW)


@pytest.mark.parametrize(
    ("state", "there", "not_there"),
    [("running", ("Stop", "Reset", "Remove"), ("Start",)), ("stopped", ("Start", "Reset", "Remove"), ("Stop",)),
     ("failed", ("Remove",), ("Start", "Stop", "Reset"))],
)  # fmt: skip
def test_a_branch_offers_what_fits_its_state(state: str, there: tuple[str, ...], not_there: tuple[str, ...]) -> None:
    page = branches.branch(FRAME, replace(BRANCH, row=replace(ROW, state=state)))
    shown = re.findall(r'class="deeds">(.*?)</div>', page, re.DOTALL)[0]
    assert all(f">{word}" in shown for word in there) and not any(f">{word}" in shown for word in not_there)


def test_only_the_page_that_hands_it_out_has_a_login() -> None:
    assert "export PGPASSWORD=" in branches.login(FRAME, LoginPage("b", (("PGPASSWORD", "a'b c"),)))
    assert "a&#x27;&quot;&#x27;&quot;&#x27;b c" in branches.login(FRAME, LoginPage("b", (("PGPASSWORD", "a'b c"),)))
    assert "s3cret" not in "".join(text for name, text in PAGES.items() if name != "handed out")


def test_a_job_goes_on_with_and_without_a_script() -> None:
    page = jobs.job(FRAME, JOB, NOW)
    assert 'data-events="/api/v1/jobs/1/events"' in page and 'aria-live="polite"' in page and "Look again" in page
    ended = jobs.job(FRAME, replace(JOB, state="done", ended_at=NOW), NOW)
    assert "data-events" not in ended and "Look again" not in ended and "progress" not in ended


def test_nobody_sees_the_menu_before_signing_in() -> None:
    page = others.login(Frame(project="helpdesk"), refusal="<b>no</b>")
    assert "<nav" not in page and "Sign out" not in page and "&lt;b&gt;no&lt;/b&gt;" in page


def test_a_deed_is_asked_about() -> None:
    page = others.confirm(FRAME, Confirm("Remove x?", "It is gone.", "/branches/x/remove", "Remove it", "/branches/x"))
    assert '<form method="post" action="/branches/x/remove">' in page and '<button class="danger">Remove it' in page
