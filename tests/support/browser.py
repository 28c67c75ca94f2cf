"""A headless Chromium, driven over its pipe: pages as people see them, on every kind of screen and on paper."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Browser", "Screen", "browser", "program"]

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


def program() -> str | None:
    """The browser's program on this machine; None without one."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@dataclass(frozen=True)
class Screen:
    """What a page is shown on."""

    name: str
    width: int
    height: int
    dark: bool = False
    paper: bool = False
    scale: float = 1.0


@dataclass
class Browser:
    """One tab, its commands and events as the DevTools protocol has them."""

    reads: int
    writes: int
    session: str = ""
    requests: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    _number: int = 0
    _rest: bytes = b""
    _seen: list[dict[str, Any]] = field(default_factory=list)

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.writes, data) :]
        while True:
            told = self._next()
            if told.get("id") == self._number:
                assert "error" not in told, told
                return dict(told["result"])

    def wait(self, event: str) -> None:
        """Wait for an event that comes, or came since the last wait."""
        while not any(one["method"] == event for one in self._seen):
            self._next()
        self._seen.clear()

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            more = os.read(self.reads, 1 << 20)
            assert more, "the browser ended"
            self._rest += more
        one, _, self._rest = self._rest.partition(b"\0")
        told: dict[str, Any] = json.loads(one)
        if told.get("method") == "Network.requestWillBeSent":
            self.requests.append(told["params"]["request"]["url"])
        if told.get("method") in ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
            self.problems.append(json.dumps(told["params"])[:400])
        if "method" in told:
            self._seen.append(told)
        return told

    def show(self, page: Path | str, screen: Screen) -> None:
        """Open a page on a screen: a file, or an address."""
        self.requests.clear()
        self.problems.clear()
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=screen.width, height=screen.height, deviceScaleFactor=screen.scale, mobile=screen.width < 600,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if screen.dark else "light"}
        self.ask("Emulation.setEmulatedMedia", media="print" if screen.paper else "screen", features=[scheme])
        self._seen.clear()
        self.ask("Page.navigate", url=page if isinstance(page, str) else page.as_uri())
        self.wait("Page.loadEventFired")

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression in the page; the page's own policy does not hold for it."""
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def picture(self, into: Path, *, whole: bool = True) -> Path:
        """A screenshot of the page: all of it, or what the first screen shows."""
        got = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        into.write_bytes(base64.b64decode(got["data"]))
        return into

    def paper(self, into: Path) -> Path:
        """The page as it is printed, as PDF of A4."""
        got = self.ask("Page.printToPDF", paperWidth=8.27, paperHeight=11.69, printBackground=False)
        into.write_bytes(base64.b64decode(got["data"]))
        return into


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A browser that is there for the block, with a profile of its own."""
    found = program()
    assert found is not None, "no Chromium: apt-get install chromium-headless-shell"
    home = tempfile.mkdtemp(prefix="envclone-test-browser-")
    down, mine = os.pipe()
    yours, up = os.pipe()

    def place() -> None:
        # the browser reads from 3 and writes to 4; the numbers are taken only when both are safe elsewhere
        first, second = os.dup(down), os.dup(up)
        os.dup2(first, 3)
        os.dup2(second, 4)

    running = subprocess.Popen(
        [found, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--hide-scrollbars",
         "--disable-dev-shm-usage", "--no-first-run", f"--user-data-dir={home}", "about:blank"],
        close_fds=False, preexec_fn=place,  # Python's own descriptors are not inherited, but these two
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(down)
    os.close(up)
    tab = Browser(yours, mine)
    try:
        target = tab.ask("Target.createTarget", url="about:blank")["targetId"]
        tab.session = tab.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for part in ("Page", "Runtime", "Network", "Log"):
            tab.ask(f"{part}.enable")
        yield tab
    finally:
        tab.session = ""
        with contextlib.suppress(OSError, AssertionError):
            tab.ask("Browser.close")  # killed, its children would go on to write into the profile
        os.close(mine)
        os.close(yours)
        try:
            running.wait(20)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
        shutil.rmtree(home, ignore_errors=True)
