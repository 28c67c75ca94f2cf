from __future__ import annotations

from envclone.models import Field, FieldKind, Inventory
from envclone.scan.echoes import without_copies
from envclone.scan.propose import Proposal, Sample


def _proposals(**rules: str) -> tuple[list[Proposal], Inventory]:
    found, fields = [], {}
    for place, domain in rules.items():
        address = "public." + place.replace("__", ".")
        fields[address] = Field(address, "text", FieldKind.TEXT, base="text")
        found.append(Proposal(address, "", "text", domain, 0.8, "", ""))
    return found, Inventory("main", fields)


def _samples(**values: str) -> dict[str, dict[str, Sample]]:
    return {"public." + place.replace("__", "."): {"": Sample(its.split("|"))} for place, its in values.items()}


def test_a_kept_column_that_holds_a_masked_one_s_values_is_masked_alike() -> None:
    proposals, inventory = _proposals(users__login="username", jobs__worker="keep", roles__name="keep")
    samples = _samples(
        users__login="jane.doe84|peter_miller7|unknown", jobs__worker="worker-1|peter_miller7", roles__name="unknown|x"
    )
    its = {one.address: one for one in without_copies(proposals, samples, inventory)}
    assert its["public.jobs.worker"].domain == "username"
    assert "public.users.login" in its["public.jobs.worker"].why
    assert its["public.roles.name"].domain == "keep", "nobody is called unknown"


def test_a_value_that_is_searched_for_nowhere_masks_nothing() -> None:
    proposals, inventory = _proposals(articles__body="text", labels__name="keep")
    samples = _samples(articles__body="please call back", labels__name="please call back")
    assert without_copies(proposals, samples, inventory) == proposals


def test_what_is_masked_for_its_copies_is_looked_for_again() -> None:
    """The values of a column that holds one masked value are masked with it, wherever they stand."""
    proposals, inventory = _proposals(logs__seen="keep", jobs__worker="keep", users__login="username")
    samples = _samples(
        users__login="jane.doe84|peter_miller7", jobs__worker="build_server9|peter_miller7", logs__seen="build_server9"
    )
    its = {one.address: one.domain for one in without_copies(proposals, samples, inventory)}
    assert its == dict.fromkeys(its, "username")


def test_a_uuid_is_masked_in_a_text_and_in_its_own_type_alike() -> None:
    token = "6f1c2a34-9b7d-4e52-8a10-3c5d7e9f1b2a"
    proposals, inventory = _proposals(invites__token="uuid", sessions__id="keep")
    fields = {
        **inventory.fields,
        "public.sessions.id": Field("public.sessions.id", "uuid", FieldKind.OTHER, base="uuid"),
    }
    samples = _samples(invites__token=token, sessions__id=token)
    its = {one.address: one.domain for one in without_copies(proposals, samples, Inventory("main", fields))}
    assert its["public.sessions.id"] == "uuid"


def test_texts_that_are_keys_of_another_table_are_masked_as_these_are() -> None:
    """A mask of texts finds no keys, so that an image with them would be refused."""
    proposals, inventory = _proposals(documents__id="key", hits__document="text", notes__body="text")
    samples = _samples(
        documents__id="SLACK_x8k1kq2Zm40a|JIRA_p7w2mm81yQ5b",
        hits__document="SLACK_x8k1kq2Zm40a|JIRA_p7w2mm81yQ5b|WEB_1a2b3cXk92Lm",
        notes__body="please call back|JIRA_p7w2mm81yQ5b|it is late",
    )
    its = {one.address: one.domain for one in without_copies(proposals, samples, inventory)}
    assert its["public.hits.document"] == "key"
    assert its["public.notes.body"] == "text", "most of them are texts"


def test_texts_that_are_copies_of_streets_are_masked_as_these_are() -> None:
    proposals, inventory = _proposals(address__line1="address", orders__line="text", notes__body="text")
    samples = _samples(
        address__line1="vicolo Bardi 7 Piano 3|Rua das Flores 12",
        orders__line="vicolo Bardi 7 Piano 3|Rua das Flores 12",
        notes__body="Rua das Flores 12|please ring twice|leave it|call back",
    )
    its = {one.address: one.domain for one in without_copies(proposals, samples, inventory)}
    assert its["public.orders.line"] == "address" and its["public.notes.body"] == "text"
