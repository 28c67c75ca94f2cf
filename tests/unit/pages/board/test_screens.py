"""The service's pages as a browser draws them: wide and on a phone, light and dark, on paper; and by axe's rules."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from envclone.pages.board.frame import STYLE
from tests.support.axe import violations
from tests.support.browser import Browser, Screen, browser, program
from tests.support.looking import faults
from tests.unit.pages.board.samples import HARD, PAGES

pytestmark = pytest.mark.skipif(
    program() is None and not os.environ.get("CI"), reason="no Chromium here: sh .ci/chromium"
)

SCREENS = (
    Screen("wide", 1280, 800), Screen("wide-dark", 1280, 800, dark=True), Screen("phone", 360, 740),
    Screen("phone-dark", 360, 740, dark=True),
)  # fmt: skip
PAPER = Screen("paper", 718, 1000, paper=True)


@pytest.fixture(scope="module")
def tab() -> Iterator[Browser]:
    with browser() as one:
        yield one


def _page(folder: Path, text: str) -> Path:
    """A page with its style in it: no service runs to fetch it from."""
    text = re.sub(r"<meta http-equiv[^>]*>", "", text)  # it would go on to a page that is not there
    text = re.sub(r"<script src[^>]*></script>", "", text)
    text = re.sub(r'<link rel="stylesheet"[^>]*>', lambda _: f"<style>{STYLE}</style>", text)
    file = folder / "page.html"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_on_every_screen_and_by_axe(tab: Browser, name: str, tmp_path: Path) -> None:
    """With ENVCLONE_PICTURES=DIRECTORY the screenshots are kept there, to be looked at."""
    page, kept = _page(tmp_path, PAGES[name]), os.environ.get("ENVCLONE_PICTURES")
    for screen in SCREENS:
        assert faults(tab, page, screen) == [], screen.name
        if screen in SCREENS[::3]:  # each scheme and each width once: the rules look at every element, for a second
            assert violations(tab) == [], screen.name
        if kept:
            shutil.copy(tab.picture(tmp_path / "one.png"), Path(kept) / f"board-{name}-{screen.name}.png")
    assert faults(tab, page, PAPER) == []


@pytest.mark.parametrize("name", HARD)
def test_hostile_texts_break_no_layout(tab: Browser, name: str, tmp_path: Path) -> None:
    page = _page(tmp_path, HARD[name])
    for screen in SCREENS[::3]:
        assert faults(tab, page, screen) == [], screen.name


def test_the_keyboard_comes_first_to_the_content_and_sees_where_it_is(tab: Browser, tmp_path: Path) -> None:
    tab.show(_page(tmp_path, PAGES["overview"]), SCREENS[0])
    seen = [_pressed(tab) for _ in range(9)]
    assert seen[0]["text"] == "Skip to the content" and seen[0]["top"] >= 0
    assert all(one["outline"] != "none" and one["inside"] for one in seen), seen
    assert [one["text"] for one in seen[1:7]] == ["envclone", "Branches", "Images", "Incidents", "Jobs", "Audit"]


def test_what_was_refused_is_read_first(tab: Browser, tmp_path: Path) -> None:
    """By the title, and by the field that has the focus: an alert that is there when a page opens is often not read."""
    tab.show(_page(tmp_path, PAGES["login"]), SCREENS[0])
    assert tab.run("document.title").startswith("Not signed in")
    assert tab.run("document.activeElement.name") == "token"
    node = tab.ask("Runtime.evaluate", expression="document.activeElement")["result"]["objectId"]
    (field,) = tab.ask("Accessibility.getPartialAXTree", objectId=node, fetchRelatives=False)["nodes"]
    assert field["description"]["value"].startswith("The token is not valid.")
    assert {one["name"]: one["value"].get("value") for one in field["properties"]}["invalid"] == "true"


def _pressed(tab: Browser) -> dict[str, object]:
    """What has the focus after one more press of the tabulator."""
    for kind in ("keyDown", "keyUp"):
        tab.ask("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
    found: dict[str, object] = tab.run(
        "(() => { const one = document.activeElement, box = one.getBoundingClientRect(); return {text: one.textContent"
        ".slice(0, 30), top: box.top, outline: getComputedStyle(one).outlineStyle,"
        " inside: box.top >= 0 && box.right <= innerWidth}; })()"
    )
    return found


def test_on_a_phone_labels_stand_over_their_fields_and_buttons_are_as_wide(tab: Browser, tmp_path: Path) -> None:
    tab.show(_page(tmp_path, PAGES["many"]), SCREENS[2])
    align = "getComputedStyle(document.querySelector('.make {}')).textAlign"
    assert [tab.run(align.format(one)) for one in ("label", "button", ".deed")] == ["start", "center", "center"]
    assert tab.run("document.querySelector('.make button').offsetWidth") > 300


def test_what_axe_finds_is_told(tab: Browser, tmp_path: Path) -> None:
    """Broken once: an image without a text, a field without a label, faint text."""
    body = "<main><h1>x</h1><img src='data:,'><input><p style='color:#bbb;background:#fff'>faint</p></main>"
    tab.show(_page(tmp_path, f"<!doctype html><html lang=en><title>t</title>{body}"), SCREENS[0])
    assert {one.split()[0] for one in violations(tab)} == {"image-alt", "label", "color-contrast"}
