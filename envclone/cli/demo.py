"""`envclone demo`: the whole story on real engines, in about a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from envclone.cli.context import Settings, absolute, emit, json_option

if TYPE_CHECKING:
    from envclone.demo.run import DemoReport

__all__ = ["demo"]


@click.command()
@click.option("--keep", is_flag=True, help="Leave the branch up, and say where it is.")
@click.option("--page", type=click.Path(dir_okay=False), metavar="FILE", help="Write the incident's page there.")
@json_option
@click.pass_obj
def demo(settings: Settings, keep: bool, page: str | None, as_json: bool) -> None:
    """Build a small production with a bug in its state, branch it, and find the bug again.

    Real PostgreSQL and Qdrant engines, 5,000 customers, 20,000 embeddings. Takes about a minute.
    """
    from envclone.demo.run import run

    with settings.progress() as progress:
        report = run(keep=keep, progress=progress, page=absolute(page) if page else None)
    emit(as_json, report.to_json(), lambda: _tell(report))


def _tell(report: DemoReport) -> None:
    from envclone.cow.loop import format_size

    def verdict(good: bool) -> str:
        return click.style("yes", fg="green", bold=True) if good else click.style("no", fg="red", bold=True)

    def head(text: str) -> None:
        click.echo("\n" + click.style(text, bold=True))

    rows = report.rows
    head("Production")
    click.echo(
        f"  a support desk: {rows['customers']:,} customers, {rows['tickets']:,} tickets, {rows['chunks']:,} chunks"
        f" with an HNSW index, {rows['articles']:,} points in Qdrant"
    )
    click.echo(f"  its assistant was asked: {report.question}")
    click.echo(
        f"  of {report.questions} such questions the index misses {report.misses_in_production}: it returns nothing"
        " relevant, though the answer is in the table (recall 0 against the exact search)"
    )
    head("The obvious thing: dump and restore")
    click.echo(
        f"  {report.rebuilt_seconds:.1f} s, and the same question has recall {report.rebuilt_recall:.1f} there:"
        f" the bug is {'gone' if report.rebuilt_recall > 0 else 'still there'}"
    )
    click.echo(f"  {report.rebuilt_identical_fraction:.1%} of the questions get production's answer")
    head(f"envclone branch prod --incident 1234    ({report.branch_seconds:.2f} s, from a cached image)")
    click.echo(
        f"  image: {report.values_masked:,} values masked and verified in {report.image_seconds:.1f} s,"
        f" {format_size(report.image_extra_bytes)} of its {format_size(report.image_bytes)} its own;"
        f" the branch's own bytes: {format_size(report.branch_extra_bytes)} (driver {report.driver})"
    )
    click.echo(
        f"  {report.originals:,} original values searched for in {format_size(report.bytes_searched)} of files:"
        f" {report.residue_hits} found; orphaned references: {report.orphans}"
    )
    head("envclone replay 1234")
    for step, good in report.steps.items():
        click.echo(f"  {step}: reproduced {verdict(good)}")
    click.echo(f"  {report.identical_fraction:.1%} of all questions get production's answer")
    if report.reproduced:
        click.echo("  the failing query fails here as it failed in production, and nobody of production is in it")
    else:
        click.echo(
            "  this run lost the bug: rows were rewritten through SQL, and the index took the new versions in"
            " another way"
        )
    head(f"envclone diagnose 1234 --expect {report.expected}")
    for line in report.causes:
        click.echo(f"  {line}")
    head(f"envclone report 1234 --expect {report.expected}    ({report.page_seconds:.2f} s, with its diagnosis)")
    where = report.page or "kept with --page FILE"
    click.echo(f"  one page, {format_size(report.page_bytes)}, that fetches nothing: {where}")
    click.echo(f"\nall of it in {report.total_seconds:.0f} s")
    if report.directory:
        click.echo(f"kept: cd {report.directory} && envclone psql {report.branch}")
        click.echo(f"then: envclone rm {report.branch}; umount pool; rm -r {report.directory}")
