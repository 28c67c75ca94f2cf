from __future__ import annotations

import random
import uuid
from dataclasses import replace

import pytest

from envclone.masking.guesses import by_name
from envclone.models import Field, FieldKind
from envclone.scan.propose import Holder, Sample, propose
from envclone.scan.vocabulary import generated

RND = random.Random(5)


def _drawn(prefix: str, alphabet: str, length: int) -> list[str]:
    return [prefix + "".join(RND.choices(alphabet, k=length)) for _ in range(60)]


LOWER, DIGITS = "abcdefghijklmnopqrstuvwxyz", "0123456789"
KEYS = {
    "uuid": [str(uuid.UUID(int=RND.getrandbits(128), version=4)) for _ in range(60)],
    "cuid": _drawn("c", LOWER + DIGITS, 24),
    "ulid": _drawn("01", "0123456789ABCDEFGHJKMNPQRSTVWXYZ", 24),
    "typeid": _drawn("user_01", "0123456789abcdefghjkmnpqrstvwxyz", 24),
    "objectid": _drawn("65", "0123456789abcdef", 22),
    "nanoid": [f"A7_{one}" for one in _drawn("", LOWER + LOWER.upper() + DIGITS, 18)],
}


def _proposed(address: str, values: list[str], *, unique: bool = True, holder: Holder | None = None) -> str:
    group = frozenset((address,))
    field = Field(address, "text", FieldKind.TEXT, base="text", unique=unique, group=group)
    (one,) = propose(field, {"": Sample(values)}, holder=holder)
    return one.domain


@pytest.mark.parametrize("kind", KEYS)
def test_primary_keys_of_text_that_a_program_drew_are_kept(kind: str) -> None:
    assert generated(KEYS[kind])
    assert _proposed("public.Ticket.id", KEYS[kind], holder=Holder(personal=True)) == "keep"


def test_what_lets_somebody_in_is_no_mere_key() -> None:
    assert _proposed("public.sessions.id", KEYS["cuid"]) != "keep"
    assert _proposed("public.sessions.id", KEYS["uuid"]) != "keep"
    assert _proposed("public.invites.share_id", KEYS["nanoid"]) != "keep"
    user = Field("public.sessions.user_id", "text", FieldKind.TEXT, base="text", group=frozenset(("public.users.id",)))
    assert propose(user, {"": Sample(KEYS["uuid"])})[0].domain == "keep", "it is the user's key, whatever holds it"


def test_people_s_numbers_and_names_are_no_keys_that_a_program_drew() -> None:
    for values in (
        ["jane.doe", "ahmed.khan", "sofia.rossi"],
        ["1985-03-02-1234", "1990-11-23-9876"],
        ["DE89370400440532013000"],
        ["anna-maria_schmidt-xy"],
        [*KEYS["cuid"], "jane.doe@example.com"],
    ):
        assert not generated(values), values
    names = [
        f"{first}.{last}" for first in ("jane", "peter", "anna", "maria") for last in ("miller", "smith", "walker")
    ]
    assert _proposed("public.users.id", names) != "keep"


def test_a_product_s_display_name_is_no_person_s() -> None:
    goods = [f"{kind} {what}" for kind in ("Organic", "Fresh", "Dried") for what in ("carrots", "pasta", "lentils",
             "oats", "kale", "beans", "flour", "milk")]  # fmt: skip
    assert _proposed("public.variants.display_name", goods, unique=False) == "text"
    assert _proposed("public.users.display_name", goods, unique=False, holder=Holder(personal=True)) == "person"
    people = ["Jane Doe", "Peter Miller", "Anna Schmidt", "John Smith", "Maria Garcia", "Paul Walker"] * 5
    for names in (people, [one.upper() for one in people], ["Ольга Иванова", "Пётр Смирнов", "محمد علي"] * 9):
        assert _proposed("public.variants.display_name", names, unique=False) == "person"


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        *(("submitted_record_count", "keep"), ("ship_address", "address"), ("license_notes", "text")),
        *(("tax_notes", "text"), ("account_name", ""), ("hotplug", ""), ("sewage_level", "keep")),
        *(("zipped_file", ""), ("signature", "text"), ("bmi", "number"), ("zip", "address")),
        *(("account_number", "iban"), ("ip_address", "ip"), ("tax_no", "national_id"), ("otp_secret", "secret")),
        *(("zipcode", "address"), ("driving_licence_no", "national_id"), ("user_ip_addr", "ip")),
    ],
)
def test_a_word_inside_another_tells_nothing(name: str, domain: str) -> None:
    assert by_name(name) == domain


LABELS = ["image", "avatar", "logo", "cover photo"]
PHRASES = [
    f"{one} {two}" for one in ("Pick up", "Open the", "Ready for", "Sent by") for two in
    ("friday", "door", "depot", "boxes", "market", "morning", "branch", "weekend")
]  # fmt: skip


def _of(address: str, values: list[str], **more: object) -> tuple[str, bool]:
    unique = bool(more.get("unique"))
    field = Field(address, "text", FieldKind.TEXT, base="text", unique=unique, group=frozenset((address,)))
    (one,) = propose(field, {"": Sample(values)}, holder=Holder(personal=bool(more.get("personal"))))
    return one.domain, one.weak


def test_a_few_words_in_lower_case_are_no_persons_though_a_dictionary_of_names_has_them() -> None:
    words = ["alpha", "beta", "gamma", "delta"]
    assert _of("public.settings.var", words * 2, unique=True) == ("keep", True)
    assert _of("public.categories.keywords", words) == ("text", True)
    assert _of("public.settings.var", ["admin_email", "theme", "mark_read", "grace_period"], unique=True)[0] == "keep"
    assert _of("public.cases.c3", words * 2, personal=True) == ("text", True)


def test_names_in_lower_case_stay_persons() -> None:
    few = ["anna", "peter", "maria", "paul", "julia", "thomas", "laura", "martin", "sarah"]
    assert _of("public.cases.c3", few, personal=True)[0] == "person", "somebody stands beside them"
    assert _of("public.cases.c3", [one.title() for one in few])[0] == "person"
    assert _of("public.cases.first_name", few)[0] == "person"
    full = [f"{one} {other}" for one in few for other in ("miller", "schmidt", "walker", "garcia")]
    assert _of("public.cases.c3", full)[0] == "person"
    assert _of("public.cases.c3", [one.replace(" ", "_") for one in full[:20]])[0] in ("person", "username")


def test_labels_that_are_unique_only_beside_another_column_are_no_key() -> None:
    assert _of("public.attachments.name", LABELS * 9, unique=True) == ("keep", True)
    assert _of("public.attachments.name", [*PHRASES, *PHRASES[:3]], unique=True) == ("keep", True)
    assert _of("public.attachments.name", PHRASES, unique=True) == ("keep", True), "nobody is found in them"
    people = ["Anna Schmidt", "Peter Miller", "Maria Garcia", "Paul Walker"] * 9
    assert _of("public.attachments.name", people, unique=True)[0] == "person"
    assert _of("public.attachments.name", [*PHRASES, *PHRASES[:3], "of jane.doe@corp.example"], unique=True)[0] == "key"


def test_unique_phrases_are_kept_when_nobody_is_found_in_them() -> None:
    assert _of("public.tags.name", ["urgent", "refund", "victor", "april", "grace period"], unique=True)[0] == "keep"
    for somebody in ("by Anna Schmidt at the door", "call +1 212 555 0187 at once", "Mr Quuxwell waits at the door"):
        assert _of("public.attachments.name", [*PHRASES, somebody], unique=True)[0] == "key", somebody
    farms = [f"{one} Farm {i}" for i, one in enumerate(("Miller", "Walker", "Quuxwell", "Garcia", "Schmidt") * 5)]
    assert _of("public.enterprises.name", farms, unique=True)[0] not in ("keep", "text"), "firms are called like people"
    gates = ["true", "admins", *(f"Shop::Actor;{i}" for i in range(40))] * 2
    assert _of("public.gates.value", gates, unique=True) == ("keep", True)
    assert _of("public.checkpoints.checkpoint_ns", ["", ""], unique=True) == ("keep", True)
    assert _of("public.checkpoints.checkpoint_ns", [], unique=True)[0] == "key", "nobody saw a value"
    logins = [f"{one}_{other}" for one in ("anna", "peter", "maria") for other in ("miller", "schmidt", "walker")]
    assert _of("public.attachments.name", logins, unique=True)[0] not in ("keep", "text")


def test_numbers_that_a_program_counts_up_are_no_state_s() -> None:
    from envclone.scan.values import Looks

    field = Field("public.bills.data", "jsonb", FieldKind.JSON, base="jsonb")
    presidio = {"$.ref": Looks("national_id", 1.0, "Presidio takes all for national_id")}
    for values, domain in (
        ([f"R{i:09}" for i in range(300)], "text"),
        ([f"R{RND.randrange(10**8):09}" for _ in range(300)], "national_id"),
        ([f"{RND.choice(LOWER)}{i:09}" for i in range(300)], "national_id"),
    ):
        (one,) = propose(field, {"$.ref": Sample(values)}, presidio)
        assert one.domain == domain, values[0]


def test_what_is_called_after_an_address_and_is_none() -> None:
    for name in (
        "emailId",
        "emailDomainId",
        "email_type",
        "phone_verified",
        "webhook_type",
        "address_id",
        "url_status",
    ):
        assert by_name(name) == "keep", name
    assert by_name("confirmation_token") == "secret" and by_name("webhook_url") == "url"
    assert by_name("tax_id") == "national_id", "this is the number itself"
    assert by_name("number", "spree_orders") == "keep" and by_name("number", "people") == ""
    addresses = ["jane.roe@corp.example", "ahmed@khan.example", "s.rossi@mail.example"] * 4
    assert _of("public.members.email_id", addresses)[0] == "email", "its values decide"


def test_names_and_letters_in_columns_that_are_called_otherwise() -> None:
    names = [f"{one} {two}" for one in ("Anna", "Peter", "Maria") for two in ("Miller", "Schmidt", "Walker", "Garcia")]
    for column in ("email_name", "user_name", "phone_owner_name"):
        assert _of(f"public.tags.{column}", names, personal=True)[0] == "person", column
    letters = [f"From: {one}\n\nPlease call me back after six, the box was damaged." for one in names]
    assert _of("public.posts.raw_email", letters, personal=True)[0] == "text"
    assert _of("public.users.signature", [f"{one}\nSupport Agent" for one in names], personal=True)[0] == "text"
    goods = ["Rosemary", "Basil", "Ginger", "Carrots", "Kale", "Bread", "Beans", "Oats", "Large"]
    assert _of("public.variants.display_name", goods) == ("text", True)
    assert _of("public.variants.display_name", ["Rosemary", "Basil", "Ginger", "Olive"] * 9) == ("text", True)
    assert _of("public.methods.tracking_url", ["https://track.example/:number"] * 9)[0] == "text"
    homes = [f"https://{one.split()[1].lower()}{i}.example/" for i, one in enumerate(names)]
    assert _of("public.users.website", homes)[0] == "url"


def test_phrases_are_no_companies() -> None:
    assert _of("public.workspaces.name", PHRASES) == ("text", True)
    firms = [f"{one} {two}" for one in ("Acme", "Globex", "Initech", "Umbrella", "Hooli") for two in
             ("Industries", "Partners", "Trading", "Foods", "Logistics")]  # fmt: skip
    assert _of("public.workspaces.name", firms)[0] == "company"


def test_what_refers_to_a_user_opens_no_session() -> None:
    assert _proposed("public.refresh_tokens.user_id", KEYS["uuid"], unique=False) == "keep"
    assert _proposed("public.refresh_tokens.parent", KEYS["uuid"], unique=False) != "keep"
    assert _proposed("public.calls.session_id", KEYS["uuid"], unique=False) != "keep"


def test_empty_documents_are_not_removed() -> None:
    field = Field("public.roles.permissions", "jsonb[]", FieldKind.OTHER, base="jsonb[]", opaque=True)
    (one,) = propose(field, {"": Sample(["[]", "[]"], whole=True)})
    assert (one.domain, one.weak) == ("keep", True)
    (one,) = propose(field, {"": Sample(whole=True)})
    assert one.domain == "null" and "nothing is lost" in one.why
    assert propose(replace(field, nullable=False), {"": Sample(["[]"], whole=True)})[0].domain == "keep"
    assert propose(field, {"": Sample(["[]"])})[0].domain == "null", "there are rows that nobody looked at"
    assert propose(field, {"": Sample(["[{'a': 1}]"], whole=True)})[0].domain == "null"
