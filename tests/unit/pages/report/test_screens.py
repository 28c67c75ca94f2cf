"""Pages as a browser draws them: on desktop, tablet and phone, light and dark, and on paper."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from envclone.pages import attestation
from envclone.pages.base import document
from envclone.pages.report.page import html
from tests.support.browser import Browser, Screen, browser, program
from tests.support.looking import SCREENS, faults
from tests.unit.pages.report.samples import SAMPLES
from tests.unit.pages.test_attestation import _statement

pytestmark = pytest.mark.skipif(
    program() is None and not os.environ.get("CI"), reason="no Chromium here: sh .ci/chromium"
)


@pytest.fixture(scope="module")
def tab() -> Iterator[Browser]:
    with browser() as one:
        yield one


def _page(folder: Path, text: str) -> Path:
    file = folder / "page.html"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize("name", SAMPLES)
def test_nothing_overflows_overlaps_or_is_faint(tab: Browser, name: str, tmp_path: Path) -> None:
    page = _page(tmp_path, html(SAMPLES[name]))
    for screen in SCREENS:
        assert faults(tab, page, screen) == [], screen.name


def test_the_attestation_is_drawn_as_well(tab: Browser, tmp_path: Path) -> None:
    page = _page(tmp_path, attestation.html(_statement()))
    for screen in SCREENS:
        assert faults(tab, page, screen) == [], screen.name


def test_the_story_is_on_the_first_screen(tab: Browser, tmp_path: Path) -> None:
    page = _page(tmp_path, html(SAMPLES["typical"]))
    for screen in (Screen("laptop", 1280, 720), Screen("phone", 390, 844)):
        tab.show(page, screen)
        wanted = "h1, .verdict, .story" if screen.width > 600 else "h1, .verdict"
        bottom = tab.run(
            f"Math.max(...[...document.querySelectorAll('{wanted}')].map(o => o.getBoundingClientRect().bottom))"
        )
        assert bottom <= screen.height, screen.name


def test_pictures_and_paper(tab: Browser, tmp_path: Path) -> None:
    """With ENVCLONE_PICTURES=DIRECTORY they are kept there, to be looked at."""
    kept = os.environ.get("ENVCLONE_PICTURES")
    for name, report in SAMPLES.items() if kept else [("typical", SAMPLES["typical"])]:
        page = _page(tmp_path, html(report))
        for screen in SCREENS:
            if not screen.paper:
                tab.show(page, screen)
                picture = tab.picture(tmp_path / f"{name}-{screen.name}.png", whole=False)
                assert picture.read_bytes().startswith(b"\x89PNG")
        tab.show(page, SCREENS[-1])
        pdf = tab.paper(tmp_path / f"{name}.pdf").read_bytes()
        assert pdf.startswith(b"%PDF") and pdf.count(b"/Type /Page\n") < 60
    if kept:
        for file in [*tmp_path.glob("*.png"), *tmp_path.glob("*.pdf")]:
            shutil.copy(file, kept)


@pytest.mark.parametrize(
    ("fault", "body"),
    [
        ("wider than the screen", "<p style='white-space:nowrap'>" + "word " * 300),
        ("out of its box", "<main><table style='table-layout:fixed;width:5rem'><tr><td class=x>" + "m" * 60),
        (
            "over other text",
            "<p style='position:absolute;top:9px'>one text</p><p style='position:absolute;top:9px'>two",
        ),
        ("too faint", "<p style='color:#bbb;background:#fff'>grey"),
        ("too small", "<p style='font-size:8px'>small"),
        ("fetches", "<img src='file:///nowhere.png' alt=''>"),
    ],
)
def test_what_is_broken_is_found(tab: Browser, fault: str, body: str, tmp_path: Path) -> None:
    """Each fault made once, without the policy that a page has."""
    text = f"<!doctype html><style>.x{{overflow-wrap:normal}}</style>{body}"
    assert any(fault in line for line in faults(tab, _page(tmp_path, text), Screen("desktop", 1280, 800)))


def test_the_policy_lets_nothing_in(tab: Browser, tmp_path: Path) -> None:
    """Markup that got past the escaping would load nothing, run nothing and look as before."""
    hostile = (
        "<p id=a style='color:red'>x</p><style>p{color:red}</style><img src='http://127.0.0.1:9/a.png'>"
        "<script>document.title='taken'</script><iframe src='file:///etc/passwd'></iframe>"
    )
    page = _page(tmp_path, document("a title", f"<main>{hostile}</main>"))
    tab.show(page, Screen("desktop", 1280, 800))
    assert tab.run("document.title") == "a title"
    assert tab.run("getComputedStyle(document.getElementById('a')).color") != "rgb(255, 0, 0)"
    assert tab.run("document.querySelector('img').naturalWidth") == 0
