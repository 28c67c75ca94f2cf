"""The commands that a service answers, with `--server URL`: the same words, options and documents as on the host."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from envclone.cli.context import Settings, emit, print_table
from envclone.cli.visible import visible
from envclone.errors import NotReproducedError, ResourceError, UsageError

if TYPE_CHECKING:
    from envclone.remote import Remote

__all__ = [
    "branch", "diagnose", "images", "incident", "incidents", "logs", "ls", "parity", "refuse", "replay", "report", "rm",
    "send", "ttl", "verb",
]  # fmt: skip


@contextmanager
def service(settings: Settings) -> Iterator[Remote]:
    """The service that `--server` names; its jobs' progress is shown as that of a command."""
    from envclone.models import ProgressEvent
    from envclone.remote import connect

    assert settings.server is not None
    with settings.progress() as progress:

        def tell(event: Mapping[str, Any]) -> None:
            if event.get("event") == "progress":
                progress(
                    ProgressEvent(
                        str(event.get("said", "")),
                        int(event.get("done") or 0),
                        event.get("total"),
                        str(event.get("unit") or ""),
                        bool(event.get("stage")),
                        int(event.get("step") or 0),
                        int(event.get("of") or 0),
                    )
                )

        yield connect(settings.server, tell=tell)


def refuse(**given: Any) -> None:
    """Raise UsageError for options that only the pool's host can do."""
    for name, value in given.items():
        if value:
            raise UsageError(
                f"--{name.replace('_', '-')} is not for a service", hint="leave it out, or call it on the pool's host"
            )


def branch(
    settings: Settings, environment: str, as_json: bool, ttl: dt.timedelta | None, login: bool = True, **wanted: Any
) -> None:
    """`branch`."""
    given = {**wanted, "ttl": None if ttl is None else f"{int(ttl.total_seconds())}s" if ttl else "none"}
    with service(settings) as team:
        made = team.branch(environment, login=login, **given)

    def text() -> None:
        _describe(made)
        for line in made["freshness"]:
            click.echo(visible(f"  {line}"))
        click.echo("  the login is shown this once; the addresses are of the pool's host")
        click.echo(
            f"next: envclone replay {wanted['incident']}"
            if wanted.get("incident")
            else f"next: envclone show {made['name']}"
        )

    emit(as_json, made, text)


def ls(settings: Settings, as_json: bool) -> None:
    """`ls`."""
    from envclone.span import span

    with service(settings) as team:
        found = team.branches()
    now = dt.datetime.now(dt.UTC)

    def left(one: Mapping[str, Any]) -> str:
        if not one["expires_at"]:
            return "-"
        until = dt.datetime.fromisoformat(one["expires_at"])
        return "expired" if until < now else span(until - now)

    rows = [
        [
            one["name"], one["environment"], one["state"],
            ", ".join(f"{name}:{end['port']}" if end["port"] else name for name, end in one["endpoints"].items())
            or "-",
            span(now - dt.datetime.fromisoformat(one["created_at"])), left(one), one["incident"] or "-",
            one["owner"] or "-",
        ]
        for one in found
    ]  # fmt: skip
    columns = ["BRANCH", "OF", "STATE", "STORES", "AGE", "LEFT", "INCIDENT", "OWNER"]
    emit(
        as_json,
        found,
        lambda: (
            print_table("", columns, rows)
            if rows
            else click.echo("no branches; `envclone branch ENVIRONMENT` makes one")
        ),
    )


def verb(settings: Settings, what: str, name: str, as_json: bool) -> None:
    """`show`, `start`, `stop` and `reset`."""
    with service(settings) as team:
        done: dict[str, Any] = getattr(team, what)(name)

    def text() -> None:
        _describe(done)
        replayed = done.get("last_replay")
        if replayed:
            word = "reproduced" if replayed["reproduced"] else "NOT reproduced"
            click.echo(visible(f"  last replay: incident {replayed['incident']} {word}"))

    emit(as_json, done, text)


def ttl(settings: Settings, name: str, time: dt.timedelta, as_json: bool) -> None:
    """`ttl`."""
    with service(settings) as team:
        done = team.extend(name, f"{int(time.total_seconds())}s" if time else "none")
    until = done["expires_at"]
    said = f"until {until[:16].replace('T', ' ')} UTC" if until else "until it is removed"
    emit(as_json, {"name": name, "expires_at": until}, lambda: click.echo(visible(f"{name} lives {said}")))


def logs(settings: Settings, name: str, part: str, lines: int) -> None:
    """`logs`."""
    with service(settings) as team:
        text = team.logs(name, part, min(lines, 2000))
    for line in text.splitlines():
        click.echo(visible(line))


def parity(settings: Settings, name: str, as_json: bool, *, everything: bool) -> None:
    """`parity`."""
    from envclone.cli.parity import show

    with service(settings) as team:
        one, rows = team.show(name), team.parity(name)
    show(name, rows, one["degraded"], one["warnings"], as_json, everything)


def report(settings: Settings, ident: str, branch: str | None, file: Path, as_json: bool) -> None:
    """`report`: the service gathers, and the page is made here of what it gave."""
    from envclone import records
    from envclone.pages.report.page import html
    from envclone.pages.report.values import Report
    from envclone.private import write_private

    with service(settings) as team:
        found = team.report(ident, branch)
    page = records.load(Report, found["page"], what="the report that the service gave")
    try:
        write_private(file, html(page))
    except OSError as exc:
        raise ResourceError(f"the page cannot be written to {file}: {exc.strerror}") from exc
    story = page.story
    document = {
        "incident": ident,
        "branch": story.branch,
        "file": str(file),
        "outcome": str(story.outcome),
        "causes": [{"layer": one.layer, "says": one.says, "certain": one.certain} for one in story.causes],
    }
    said = f"{file} (mode 0600): incident {ident} is {story.outcome} in {story.branch}"
    emit(as_json, document, lambda: click.echo(visible(said)))


def rm(settings: Settings, names: Sequence[str], as_json: bool) -> None:
    """`rm`."""
    with service(settings) as team:
        removed = {name: team.remove(name) for name in names}

    def text() -> None:
        for name, was in removed.items():
            click.echo(f"{name}: {'removed' if was else 'there was none'}")

    emit(as_json, {"removed": removed}, text)


def images(settings: Settings, as_json: bool) -> None:
    """`images`."""
    from envclone.cow.loop import format_size

    with service(settings) as team:
        found = team.images()
    rows = [
        [
            one["id"], one["environment"], one["state_from"][:16].replace("T", " "), ", ".join(one["stores"]),
            format_size(one["bytes"]), format_size(one["own_bytes"]),
            "-" if one["fidelity"] is None else f"{one['fidelity']:.1%}",
        ]
        for one in found
    ]  # fmt: skip
    columns = ["IMAGE", "ENVIRONMENT", "STATE OF (UTC)", "STORES", "SIZE", "OWN", "FIDELITY"]
    emit(as_json, found, lambda: print_table("", columns, rows) if rows else click.echo("no images"))


def incidents(settings: Settings, as_json: bool) -> None:
    """`incident ls`."""
    with service(settings) as team:
        found = team.incidents()
    emit(as_json, found, lambda: click.echo("\n".join(map(visible, found)) if found else "no incidents"))


def incident(settings: Settings, ident: str, as_json: bool) -> None:
    """`incident show`."""
    with service(settings) as team:
        found = team.incident(ident)

    def text() -> None:
        click.echo(visible(f"incident {found['incident']} of {found['environment']}, masked"))
        for step in found["steps"]:
            click.echo(visible(f"  {step['id']} ({step['kind']}, {step['store']}): {step['results']} results"))

    emit(as_json, found, text)


def send(
    settings: Settings, trace: str | None, incident: str, environment: str | None, as_json: bool, **given: Any
) -> None:
    """`incident import`."""
    from envclone.cli.context import absolute

    refuse(**{name: value for name, value in given.items() if value})
    if trace is None:
        raise UsageError("give a TRACE")
    place = absolute(trace)
    try:
        content = place.read_text(encoding="utf-8")
    except (OSError, ValueError) as exc:
        raise UsageError(
            f"{place} cannot be read as text: {exc}", hint="on the pool's host it takes more forms"
        ) from None
    with service(settings) as team:
        chosen = environment
        if chosen is None:
            known = [one["name"] for one in team.get("/environments")]
            if len(known) != 1:
                raise UsageError("say which environment", hint=f"--env {known[0] if known else 'NAME'}")
            chosen = known[0]
        bundle = place.suffix in (".yaml", ".yml")
        done = team.send(incident, chosen, content, bundle=bundle)

    def text() -> None:
        click.echo(
            visible(f"incident {done['incident']}: {done['state']}, {done['steps']} steps that can be run again")
        )
        if done["state"] == "held":
            click.echo("next: an operator lets it in: envclone serve release " + done["incident"])

    emit(as_json, done, text)


def replay(settings: Settings, ident: str, branch: str | None, as_json: bool) -> None:
    """`replay`; exit code 5 when it differs."""
    with service(settings) as team:
        report = team.replay(ident, branch)

    def text() -> None:
        click.echo(visible(report["said"]))
        for step in report["steps"]:
            word = "reproduced" if step["reproduced"] else "NOT reproduced"
            click.echo(visible(f"  {step['step']}: {word}, {step['results']} results"))
            for line in step["reasons"]:
                click.echo(visible(f"    {line}"))

    emit(as_json, report, text)
    if not report["reproduced"]:
        _end(as_json, f"incident {ident} is not reproduced")


def diagnose(
    settings: Settings, ident: str, branch: str | None, expected: Sequence[str], sweeps: bool, as_json: bool
) -> None:
    """`diagnose`; exit code 5 when a cause is found."""
    with service(settings) as team:
        found = team.diagnose(ident, branch, expected=expected, sweeps=sweeps)

    def text() -> None:
        click.echo(visible(found["said"]))
        for one in found["findings"]:
            click.echo(visible(f"  {one['layer']} ({one['certainty']}): {one['cause']}"))
            click.echo(visible(f"    {one['evidence']}"))
        for line in found["unknown"]:
            click.echo(visible(f"  unknown: {line}"))

    emit(as_json, found, text)
    if found["layer"] is not None:
        _end(as_json, f"incident {ident}: {found['layer']}: {found['cause']}")


def _end(as_json: bool, said: str) -> None:
    if as_json:
        raise click.exceptions.Exit(NotReproducedError.exit_code)
    raise NotReproducedError(said)


def _describe(made: Mapping[str, Any]) -> None:
    until = f", until {made['expires_at'][:16].replace('T', ' ')} UTC" if made["expires_at"] else ""
    took = f" in {made['seconds']:.2f} s" if made["seconds"] else ""
    click.echo(visible(f"branch {made['name']} of {made['environment']}: {made['state']}{took} "
                       f"(image {made['image']}{until})"))  # fmt: skip
    for name, url in made["urls"].items():
        click.echo(visible(f"  {name}: {url}"))
    for line in (*made["degraded"], *made["warnings"]):
        click.echo(visible(f"  warning: {line}"))
