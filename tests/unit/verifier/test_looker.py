"""Many addresses with few values each are searched together, and told of as if each had been looked at alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from envclone.models import StorePlan
from envclone.verifier.compounds import Compounds
from envclone.verifier.fields import FieldFindings
from envclone.verifier.looker import Looker
from envclone.verifier.loose import LooseSearch
from envclone.verifier.originals import Originals
from envclone.verifier.subjects import Subjects

HOLDING = {
    7: ("definition of view a", "SELECT 'wolfhard.quenzelmann@corp.example'"),
    11: ("comment on table b", "of %57olfhard  QUENZELMANN"),
    13: ("comment on table c", "quenzelmann, wolfhard"),
    17: ("definition of function d", "SELECT wolfhardquenzelmann"),
    19: ("name of a role", "Wolfhard"),
    4999: ("definition of check e", "CHECK (x <> 'Wolfhard Quenzelmann')"),
}
MANY = [HOLDING.get(i, (f"definition of view v{i}", f"SELECT {i}, 'nobody at all ß' -- 100 %")) for i in range(9000)]


def _looker() -> Looker:
    subjects, originals = Subjects(), Originals()
    subjects.begin("main.public.people")
    subjects.count = 1
    subjects.add([0], "person", ["Wolfhard"], "first")
    subjects.add([0], "person", ["Quenzelmann"], "last")
    originals.add("main.public.people.name", "person", ["Wolfhard Quenzelmann"])
    originals.add("main.public.people.email", "email", ["wolfhard.quenzelmann@corp.example"])
    originals.seal()
    parts = Originals.parts(subjects.seal())
    people = cast(Any, SimpleNamespace(subjects=subjects))
    findings = FieldFindings(originals=originals)
    compounds = Compounds(subjects, parts, originals)
    strong, weak = LooseSearch(originals), LooseSearch(parts)
    return Looker("main", StorePlan("main", {}), strong, weak, compounds, people, findings)


def test_many_addresses_give_the_findings_of_one_by_one() -> None:
    together, alone = _looker(), _looker()
    together.batches((address, [text], [address]) for address, text in MANY)
    for address, text in MANY:
        alone.batch(address, [text], [text], [address])
    found = together.found()
    assert found == alone.found()
    assert {where[0] for where in found[3]} == {
        "definition of view a",
        "comment on table b",
        "comment on table c",
        "definition of function d",
        "definition of check e",
    }
