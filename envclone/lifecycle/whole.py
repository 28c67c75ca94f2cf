"""The replay of a whole application: what is played to it, and what it asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from envclone.errors import UsageError
from envclone.models import Branch, Cassette, Heard

if TYPE_CHECKING:
    from envclone.incidents.bundle import Incident
    from envclone.incidents.verdicts import Played

__all__ = ["cassette", "played"]

_MOST = 50
"""How many calls that nothing answers a report keeps."""


def cassette(
    incident: Incident, branch: Branch, changes: Mapping[str, Any] | None = None
) -> tuple[Cassette | None, str]:
    """What is played to a branch's services for a masked incident, or why nothing is ('' when nothing is due).

    `changes` are put in place of what the application asks. Raises UsageError when nobody would see them.
    """
    from envclone.incidents.bundle import COMPUTED, HttpStep

    asked = sorted({step.store for step in incident.steps if isinstance(step, HttpStep)})
    if branch.lives and asked:
        from envclone.cassette.guard import identities

        kept = () if COMPUTED in str(incident.exchanges) else incident.exchanges
        told = tuple(one.model_dump(mode="json") for one in kept)
        known = tuple(sorted(identities(incident.model_dump(mode="json"))))
        return Cassette(told, dict(changes or {}), live=True, known=known), ""
    if not incident.exchanges:
        return None, ""
    if changes and not (branch.cassettes or branch.lives):
        raise UsageError(
            f"{next(iter(changes))} can be set when a cassette plays, and no service of '{branch.name}' asks one",
            hint="services.NAME.model: cassette, then envclone reset",
        )
    if not asked:
        return None, "no step asks a service, so nobody asks for them"
    if not branch.cassettes:
        name = asked[0]
        return (
            None,
            f"no service of the branch is to be played to: `services.{name}.model: cassette`, then envclone reset",
        )
    exchanges = tuple(one.model_dump(mode="json") for one in incident.exchanges)
    if COMPUTED in str(exchanges):
        return None, "what was said in them is left out of this bundle: envclone incident mask --allow-computed"
    return Cassette(exchanges, dict(changes or {})), ""


def played(incident: Incident, branch: Branch, heard: Heard, why_not: str) -> Played | None:
    """What an application asked, for the report; None when there was nothing to ask for and nothing to be seen."""
    from envclone.incidents.verdicts import Played

    recorded = [one.id for one in incident.exchanges]
    live = any(one.get("live") for one in heard.calls)
    if not recorded and not branch.services:
        return None
    if why_not or not (recorded or live):
        return Played(len(recorded), why_not=why_not, egress=heard.egress)
    calls = [one for one in heard.calls if one["outcome"] != "refused"]
    matched = {one["exchange"] for one in calls if one["outcome"] == "played"}
    missed = [one for one in calls if one["outcome"] in ("unmatched", "surplus")]
    return Played(
        recorded=len(recorded),
        asked=len(calls),
        matched=len(matched),
        again=sum(one["outcome"] == "again" for one in calls),
        unmatched=tuple(missed[:_MOST]),
        unplayed=tuple(one for one in recorded if one not in matched),
        refused=tuple(dict.fromkeys(f"{one['url']}: {one['why']}" for one in heard.calls if one not in calls))[:_MOST],
        egress=heard.egress,
        live=sum(bool(one.get("live")) and not one.get("withheld") for one in calls),
        withheld=tuple(f"{one['operation']}: {one['withheld']}" for one in calls if one.get("withheld"))[:_MOST],
    )
