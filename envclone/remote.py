"""A service's verbs from another machine: the library's calls over HTTP, with nothing but the standard library.

with envclone.connect("https://envclone.acme.example", token) as team:
    branch = team.branch("prod", incident="1234")
    report = team.replay("1234", branch["name"])
    team.remove(branch["name"])
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import shlex
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from envclone import errors
from envclone.errors import EnvcloneError, UnreachableError, UnsafeError, UsageError

__all__ = ["Remote", "Tell", "connect", "token_from"]

Tell = Callable[[Mapping[str, Any]], None]
"""Is told each event of a job."""

_TIMEOUT = 180.0
_SILENT = 60.0
"""Seconds of silence of a job's events after which the connection counts as lost; the service says something in 10."""
_MOST = 64 << 20
_BY_CODE: Mapping[int, type[EnvcloneError]] = {
    2: UsageError,
    3: errors.ConfigError,
    4: UnsafeError,
    5: errors.NotReproducedError,
    6: errors.ResourceError,
    7: UnreachableError,
    8: errors.BusyError,
}


def token_from(environment: Mapping[str, str] = os.environ) -> str:
    """The token that the environment gives: ENVCLONE_TOKEN, the file ENVCLONE_TOKEN_FILE, or what the command
    ENVCLONE_TOKEN_COMMAND prints. Raises UsageError when it gives none."""
    if given := environment.get("ENVCLONE_TOKEN", "").strip():
        return given
    if file := environment.get("ENVCLONE_TOKEN_FILE"):
        try:
            return Path(file).expanduser().read_text().strip()
        except OSError as exc:
            raise UsageError(f"the token's file {file} cannot be read: {exc.strerror}") from None
    if command := environment.get("ENVCLONE_TOKEN_COMMAND"):
        from envclone import process

        return process.run(shlex.split(command), env=dict(environment), timeout=60).stdout.strip()
    raise UsageError(
        "the service wants a token", hint="set ENVCLONE_TOKEN, ENVCLONE_TOKEN_FILE or ENVCLONE_TOKEN_COMMAND"
    )


def connect(url: str, token: str | None = None, *, tell: Tell = lambda event: None) -> Remote:
    """A client of a service; without a `token` the environment's. Raises UsageError, UnsafeError."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise UsageError(f"{url} is no address of a service", hint="such as https://envclone.acme.example")
    if parts.scheme == "http" and not _here(parts.hostname):
        raise UnsafeError("without TLS the token would cross the network as it is", hint="use https://")
    return Remote(url.rstrip("/"), token if token is not None else token_from(), tell)


@dataclass(frozen=True)
class Remote:
    """A service. Answers are plain values, as `--json` prints them."""

    url: str
    token: str = field(repr=False)
    tell: Tell = field(default=lambda event: None, repr=False)

    def __enter__(self) -> Remote:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def whoami(self) -> dict[str, Any]:
        """Who the token is of, and what it may."""
        return dict(self.get("/whoami"))

    def branches(self) -> list[dict[str, Any]]:
        """The branches that the token may see."""
        return list(self.get("/branches"))

    def show(self, name: str) -> dict[str, Any]:
        """One branch, and its newest replay."""
        found = dict(self.get(f"/branches/{_word(name)}"))
        return found | {"last_replay": self.get(f"/branches/{_word(name)}/replay")}

    def branch(self, environment: str, *, login: bool = True, **wanted: Any) -> dict[str, Any]:
        """Make a branch and wait for it; with `login` its URLs have the password, which nobody is given again."""
        given = {key: value for key, value in wanted.items() if value is not None and value is not False}
        done = self.finished(self.post("/branches", {"environment": environment, **given}))
        made = {**done["branch"], "freshness": done["freshness"]}
        if login:
            handed = self.login(made["name"])
            made |= {
                "urls": {**made["urls"], **handed["urls"]},
                "variables": handed["variables"],
                "login": "handed out",
            }
        return made

    def login(self, name: str) -> dict[str, Any]:
        """A branch's login; the service hands it out once."""
        return dict(self.post(f"/branches/{_word(name)}/login"))

    def start(self, name: str) -> dict[str, Any]:
        """Start a stopped branch."""
        return dict(self.post(f"/branches/{_word(name)}/start"))

    def stop(self, name: str) -> dict[str, Any]:
        """Stop a branch, its data kept."""
        return dict(self.post(f"/branches/{_word(name)}/stop"))

    def reset(self, name: str) -> dict[str, Any]:
        """Throw away what was changed in a branch."""
        return dict(self.post(f"/branches/{_word(name)}/reset"))

    def extend(self, name: str, ttl: str | None = None) -> dict[str, Any]:
        """Have a branch live its time from now on, or a `ttl` such as `2d`; `none` is as long as it may."""
        return dict(self.post(f"/branches/{_word(name)}/extend", _given(ttl=ttl)))

    def parity(self, name: str) -> list[dict[str, Any]]:
        """What of production a running branch has, row by row."""
        return list(self.get(f"/branches/{_word(name)}/parity"))

    def logs(self, name: str, part: str, lines: int = 100) -> str:
        """The last lines of what a store or service of a branch wrote."""
        return str(self.get(f"/branches/{_word(name)}/logs/{_word(part)}", {"lines": lines})["text"])

    def remove(self, name: str) -> bool:
        """Remove a branch and all of it; False when there is none."""
        try:
            return bool(self.request("DELETE", f"/branches/{_word(name)}")["removed"][name])
        except UsageError as exc:
            if exc.context.get("status") == 404:
                return False
            raise

    def images(self) -> list[dict[str, Any]]:
        """The images."""
        return list(self.get("/images"))

    def attestation(self, image: str) -> dict[str, Any]:
        """What is attested of an image."""
        return dict(self.get(f"/images/{_word(image)}"))

    def incidents(self) -> list[str]:
        """The ids of the incidents."""
        return list(self.get("/incidents"))

    def incident(self, ident: str) -> dict[str, Any]:
        """An incident, masked."""
        return dict(self.get(f"/incidents/{_word(ident)}"))

    def send(self, incident: str, environment: str, content: str, *, bundle: bool = False) -> dict[str, Any]:
        """Send an incident: a trace's text, or a bundle's; an engineer's is held until an operator releases it."""
        given = {"incident": incident, "environment": environment, "content": content, "bundle": bundle}
        return dict(self.post("/incidents", given))

    def replay(self, incident: str, branch: str | None = None) -> dict[str, Any]:
        """Replay an incident and wait for the verdict."""
        return self.finished(self.post(f"/incidents/{_word(incident)}/replay", _given(branch=branch)))

    def diagnose(
        self, incident: str, branch: str | None = None, *, expected: Sequence[str] = (), sweeps: bool = False
    ) -> dict[str, Any]:
        """Find out why an incident failed, and wait for it."""
        given = {**_given(branch=branch), "expected": list(expected), "sweeps": sweeps}
        return self.finished(self.post(f"/incidents/{_word(incident)}/diagnose", given))

    def report(self, incident: str, branch: str | None = None) -> dict[str, Any]:
        """What is known of an incident."""
        return self.finished(self.post(f"/incidents/{_word(incident)}/report", _given(branch=branch)))

    def finished(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """A job's result when it has ended; an interrupt ends the job, too. Raises its error."""
        ident = job["id"]
        try:
            self._follow(ident)
            ended = self.get(f"/jobs/{ident}", {"wait": 30})
        except KeyboardInterrupt:
            with contextlib.suppress(EnvcloneError):
                self.post(f"/jobs/{ident}/cancel")
            raise
        if ended["state"] == "done":
            return dict(ended["result"])
        raise _error(ended["error"] or {"message": f"the job was {ended['state']}", "exit_code": 6}, 409)

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """A question."""
        return self.request("GET", path + (f"?{urlencode(query)}" if query else ""))

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """A deed."""
        return self.request("POST", path, body)

    def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """A call below /api/v1. Raises the error that the service says."""
        with self._opened(method, path, body, _TIMEOUT) as answer:
            return _json(answer.read(_MOST))

    def _follow(self, ident: str) -> None:
        """Pass a job's events on until its end; a connection that was lost goes on behind the last one."""
        last = 0
        for _ in range(20):
            try:
                with self._opened("GET", f"/jobs/{ident}/events", None, _SILENT, last=last) as answer:
                    for number, event in _events(answer):
                        last = number
                        self.tell(event)
                        if event.get("event") in ("done", "failed", "cancelled"):
                            return
            except (OSError, UnreachableError):
                continue
            if self.get(f"/jobs/{ident}")["state"] in ("done", "failed", "cancelled"):
                return
        raise UnreachableError("the connection to the service was lost", hint=f"the job goes on there: {ident}")

    @contextlib.contextmanager
    def _opened(
        self, method: str, path: str, body: Mapping[str, Any] | None, timeout: float, *, last: int = 0
    ) -> Iterator[Any]:
        headers = {"authorization": f"Bearer {self.token}", "accept": "application/json"}
        headers |= {"last-event-id": str(last)} if last else {}
        data = None if body is None else json.dumps(body).encode()
        headers |= {"content-type": "application/json"} if data is not None else {}
        asked = urllib.request.Request(f"{self.url}/api/v1{path}", data, headers, method=method)  # noqa: S310
        try:
            with urllib.request.build_opener(_NoRedirect).open(asked, timeout=timeout) as answer:
                yield answer
        except urllib.error.HTTPError as exc:
            with exc:
                raise _refused(exc) from None
        except urllib.error.URLError as exc:
            raise UnreachableError(
                f"the service {self.url} does not answer: {exc.reason}", hint="is it up, and is its address right?"
            ) from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The token goes to the service alone."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow nothing."""
        return None


def _events(answer: Any) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Server-sent events: a number and a JSON object each."""
    number, data = 0, ""
    for raw in answer:
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        name, _, value = line.partition(": ")
        if name == "id" and value.isdigit():
            number = int(value)
        elif name == "data":
            data = value
        elif not line and data:
            yield number, _json(data.encode())
            data = ""


def _refused(exc: urllib.error.HTTPError) -> EnvcloneError:
    try:
        told = json.loads(exc.read(1 << 16))["error"]
        return _error(told, exc.code)
    except (ValueError, KeyError, TypeError, OSError):
        return UnreachableError(f"the service answered {exc.code}, and not as a service of envclone does")


def _error(told: Mapping[str, Any], status: int) -> EnvcloneError:
    """The error that a service told, as the command on the host would raise it."""
    found = getattr(errors, str(told.get("type")), None)
    known = isinstance(found, type) and issubclass(found, EnvcloneError) and found is not errors.CommandError
    kind = found if known else _BY_CODE.get(int(told.get("exit_code") or 1), EnvcloneError)
    assert kind is not None
    made: EnvcloneError = kind(str(told.get("message")), hint=told.get("hint"), status=status)
    return made


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise UnreachableError("the service's answer is no JSON", hint="is that the address of a service?") from None


def _word(text: str) -> str:
    """What stands in a path."""
    if text in ("", ".", ".."):
        raise UsageError(f"'{text}' is no name")
    return quote(text, safe="")


def _given(**of: Any) -> dict[str, Any]:
    return {key: value for key, value in of.items() if value is not None}


def _here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
