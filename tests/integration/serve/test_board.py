"""The web page over a real branch, in a browser: from signing in to the removal, with a script and without one."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn

from envclone.pages.board.frame import SCRIPT_AT, STYLE_AT
from envclone.serve.app import create
from envclone.serve.options import Options
from envclone.serve.roles import Role
from envclone.serve.service import Service
from envclone.wait import until
from tests.support.agent import Agents, agents
from tests.support.axe import violations
from tests.support.browser import Browser, Screen, browser, program
from tests.support.looking import faults

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(program() is None and not os.environ.get("CI"), reason="no Chromium here: sh .ci/chromium"),
]

WIDE, DARK = Screen("wide", 1280, 800), Screen("phone-dark", 360, 740, dark=True)


@dataclass
class Site:
    """A running service, and somebody at a browser."""

    service: Service
    address: str
    tab: Browser
    pool: Agents

    def open(self, path: str) -> str:
        """A page's text."""
        self.tab.show(self.address + path, WIDE)
        return self.text()

    def text(self) -> str:
        found: str = self.tab.run("document.body.innerText")
        return found

    def press(self, button: str, **fields: str) -> str:
        """Fill fields, press a button or a link by its words, and give the text of what comes."""
        for name, value in fields.items():
            self.tab.run(f"document.querySelector('[name={name}]').value = {json.dumps(value)}")
        self.tab._seen.clear()
        found = self.tab.run(
            "(() => { const one = [...document.querySelectorAll('button, a')].find(one => one.textContent.trim() === "
            f"{json.dumps(button)}); if (one) one.click(); return !!one; }})()"
        )
        assert found, (button, self.text())
        self.tab.wait("Page.loadEventFired")
        return self.text()

    def ended(self) -> str:
        """How the job ended whose page is shown; its own script loads it again."""

        def state() -> str | None:
            try:
                # one that is whole: what is pressed earlier is answered by this page's own end of loading
                tag = "document.querySelector('h1 .tag').textContent"
                said = str(self.tab.run(f"document.readyState === 'complete' ? {tag} : ''"))
            except AssertionError:  # the page is just being loaded again
                return None
            return said if said in ("done", "failed", "cancelled") else None

        return until(state, what="the job ends on its page", timeout=120, diagnosis=self.text)

    def path(self) -> str:
        found: str = self.tab.run("location.pathname")
        return found

    def check(self, *paths: str) -> None:
        """Each page as it is drawn, light and wide, dark and narrow, and by axe's rules."""
        own = (self.address + STYLE_AT, self.address + SCRIPT_AT)
        for path in paths:
            for screen in (WIDE, DARK):
                assert faults(self.tab, self.address + path, screen, own=own) == [], (path, screen.name)
                assert violations(self.tab) == [], (path, screen.name)
                shown = self.text()
                assert [one for one in self.pool.forbidden() if one in shown] == [], path
                if kept := os.environ.get("ENVCLONE_PICTURES"):
                    name = path.strip("/").replace("/", "-") or "overview"
                    self.tab.picture(Path(kept) / f"real-{name}-{screen.name}.png")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with agents() as pool, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DSN", pool.here.env["DSN"])
        service = Service(pool.here.open(), Options(calls_per_minute=10**6, strangers_per_minute=10**6))
        with socket.create_server(("127.0.0.1", 0)) as door:
            server = uvicorn.Server(uvicorn.Config(create(service), log_level="warning", lifespan="off"))
            running = threading.Thread(target=server.run, kwargs={"sockets": [door]})
            running.start()
            try:
                with browser() as tab:
                    yield Site(service, f"http://127.0.0.1:{door.getsockname()[1]}", tab, pool)
            finally:
                server.should_exit = True
                running.join(30)
                service.close()


def test_a_day_with_a_branch(site: Site) -> None:
    token = site.service.tokens.create("ada", Role.OPERATOR, None)[1]
    assert "Sign in" in site.open("/") and site.path() == "/login"
    site.check("/login")
    assert "not valid" in site.press("Sign in", token="envc_wrong")
    assert "There is no branch" in site.press("Sign in", token=token)

    # a branch is made by a job whose page follows it by itself, and leads to the branch when it is done
    site.press("Make it", incident="77", name="adas")
    job = site.path()
    assert job.startswith("/jobs/")
    assert site.ended() == "done", site.text()
    site.pool.remember()
    page = site.press("/branches/adas")
    assert "running" in page and "127.0.0.1:" in page and "Parity with production" in page
    assert "Its login" not in page
    shown = site.press("Show the login, once")
    (password,) = {one for one in site.pool.passwords if one in shown}
    assert "export PGPASSWORD=" in shown and "was handed out" in site.press("Back to the branch")

    # its incident is replayed and diagnosed, and stands side by side
    site.open("/incidents/77")
    site.press("Replay and diagnose in adas")
    assert site.ended() == "done", site.text()
    page = site.press("/incidents/77")
    assert "exact search" in page and "hnsw.ef_search" in page and "Completeness" in page
    assert site.tab.run("document.querySelectorAll('svg.sweep').length") > 0
    assert site.tab.run("document.querySelectorAll('.sides').length") >= 2

    (image,) = site.service.stack.images()
    site.check("/", "/branches/adas", "/branches/adas/remove", "/images", f"/images/{image.id}", "/incidents",
               "/incidents/77", "/jobs", job, "/audit")  # fmt: skip
    assert password not in "".join(site.open(path) for path in ("/", "/branches/adas", job, "/audit"))

    # without a script: stopped, started and removed after it was asked
    site.tab.ask("Emulation.setScriptExecutionDisabled", value=True)
    site.open("/branches/adas")
    site.press("Reset…")
    assert "as it was born" in site.press("Reset it")
    site.press("Stop…")
    assert "It is stopped" in site.press("Stop it") and site.service.stack.show("adas").state == "stopped"
    assert "It runs." in site.press("Start") and site.service.stack.show("adas").state == "running"
    site.press("Remove…")
    assert "The branch is removed." in site.press("Remove it") and site.service.stack.branches() == []
    assert "Sign in" in site.press("Sign out")
