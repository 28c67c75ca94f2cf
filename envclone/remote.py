"""A service's verbs from another machine: the library's calls over HTTP, with nothing but the standard library.

with envclone.connect("https://envclone.acme.example", token) as team:
    branch = team.branch("prod", incident="1234")
    report = team.replay("1234", branch["name"])
    team.remove(branch["name"])
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import json
import os
import shlex
import ssl
import time
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
_AWAY = 60.0
"""Seconds that a service may be away while a job is followed: it may just be started again."""
_ENDS = ("done", "failed", "cancelled")
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
        return _token(given, "ENVCLONE_TOKEN")
    if file := environment.get("ENVCLONE_TOKEN_FILE"):
        try:
            return _token(Path(file).expanduser().read_text(), f"the file {file}")
        except (OSError, UnicodeDecodeError) as exc:
            why = exc.strerror if isinstance(exc, OSError) else "it is no text"
            raise UsageError(
                f"the token's file {file} cannot be read: {why}", hint="ENVCLONE_TOKEN_FILE names it"
            ) from None
    if command := environment.get("ENVCLONE_TOKEN_COMMAND"):
        from envclone import process

        try:
            words = shlex.split(command)
        except ValueError:
            words = []
        if not words:
            raise UsageError("ENVCLONE_TOKEN_COMMAND is no command", hint="such as: pass envclone")
        return _token(
            process.run(words, env=dict(environment), timeout=60).stdout, "what ENVCLONE_TOKEN_COMMAND printed"
        )
    raise UsageError(
        "the service wants a token", hint="set ENVCLONE_TOKEN, ENVCLONE_TOKEN_FILE or ENVCLONE_TOKEN_COMMAND"
    )


def _token(text: str, where: str) -> str:
    """A token as it can stand in a header; it is quoted by no error. Raises UsageError."""
    found = text.strip()
    if not found or not found.isascii() or not found.isprintable() or " " in found:
        what = "is empty" if not found else "has more in it than a token"
        raise UsageError(f"{where} {what}", hint="it holds what envclone serve token create printed, and nothing else")
    return found


def connect(url: str, token: str | None = None, *, tell: Tell = lambda event: None) -> Remote:
    """A client of a service; without a `token` the environment's. Raises UsageError, UnsafeError."""
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        known = False
    if not known or parts.username is not None or parts.query or parts.fragment or not url.isascii() or " " in url:
        said = url if "@" not in url else "what was given"  # a password may be in it
        raise UsageError(f"{said} is no address of a service", hint="such as https://envclone.acme.example")
    assert parts.hostname is not None
    if parts.scheme == "http" and not _here(parts.hostname):
        raise UnsafeError("without TLS the token would cross the network as it is", hint="use https://")
    return Remote(url.rstrip("/"), _token(token, "the token") if token is not None else token_from(), tell)


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
            ended = self._follow(ident)
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
            try:
                data = answer.read(_MOST)
                if answer.length:  # so much was still to come: the library says nothing of it
                    raise http.client.IncompleteRead(b"", answer.length)
            except (OSError, http.client.HTTPException) as exc:
                raise self._away(exc) from None
            return _json(data)

    def _follow(self, ident: str) -> Mapping[str, Any]:
        """Pass a job's events on until its end, and give the job; a connection that was lost goes on behind the last.

        A service that is away is waited for: it may be started again, and knows then what became of the job.
        """
        last, heard, pause = 0, time.monotonic(), 0.1
        while True:
            with contextlib.suppress(UnreachableError, errors.BusyError):  # what became of it is asked in any case
                for number, event in self._told(ident, last):
                    if number <= last:
                        continue
                    last, pause = number, 0.1
                    self.tell(event)
                    if event.get("event") in _ENDS:
                        break
            try:
                job: Mapping[str, Any] = self.get(f"/jobs/{ident}", {"wait": 30})
                if job["state"] in _ENDS:
                    return job
                heard = time.monotonic()
            except (UnreachableError, errors.BusyError) as exc:
                if time.monotonic() > heard + _AWAY:
                    raise UnreachableError(
                        f"the connection to the service was lost: {exc.message}",
                        hint=f"the job {ident} may go on there: its page /jobs/{ident} shows it",
                    ) from None
            time.sleep(pause)
            pause = min(pause * 2, 5.0)

    def _told(self, ident: str, last: int) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """A job's events behind a number, until the connection ends. Raises UnreachableError when it breaks."""
        with self._opened("GET", f"/jobs/{ident}/events", None, _SILENT, last=last) as answer:
            events = _events(answer)
            while True:
                try:
                    found = next(events, None)
                except (OSError, http.client.HTTPException) as exc:
                    raise self._away(exc) from None
                if found is None:
                    return
                yield found

    def _away(self, exc: BaseException) -> UnreachableError:
        """The error for a service that does not answer, or not as one that can be believed."""
        reason = exc.reason if isinstance(exc, urllib.error.URLError) else exc
        if isinstance(reason, ssl.SSLCertVerificationError):
            return UnreachableError(
                f"the service {self.url} cannot prove who it is: {reason.verify_message}",
                hint="SSL_CERT_FILE names the certificate of an authority of your own; is this machine's clock right?",
            )
        if isinstance(reason, ssl.SSLError):
            return UnreachableError(
                f"the service {self.url} does not speak TLS as this machine does: {reason.reason or 'it broke off'}",
                hint="is it an address of http:// on this machine, or another port?",
            )
        said = (reason.strerror if isinstance(reason, OSError) else "") or str(reason) or type(reason).__name__
        return UnreachableError(
            f"the service {self.url} does not answer: {said}", hint="is it up, and is its address right?"
        )

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
            opened = urllib.request.build_opener(_NoRedirect, *_way(self.url)).open(asked, timeout=timeout)
        except urllib.error.HTTPError as exc:
            with exc:
                raise _refused(exc) from None
        except (OSError, http.client.HTTPException) as exc:
            raise self._away(exc) from None
        with opened as answer:
            yield answer


def _way(url: str) -> list[urllib.request.BaseHandler]:
    """Through no proxy without TLS: it would be given the token."""
    return [urllib.request.ProxyHandler({})] if url.startswith("http://") else []


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
