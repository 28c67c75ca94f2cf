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


SLUGS = ["api_calls", "storage_gb", "monthly_seats", "basic_usage", "premium_requests", "compute_tokens"]
TITLES = [f"{one.replace('_', ' ').title()} {more}" for one in SLUGS for more in ("Eu", "Base", "Fee", "Plan")]


def test_what_a_fee_is_shown_as_is_nobody_s_but_what_a_user_is_shown_as_is() -> None:
    assert _of("public.fees.invoice_display_name", TITLES)[0] == "text"
    assert _of("public.fees.invoice_display_name", TITLES, personal=True)[0] == "person"
    assert _of("public.posts.author_display_name", TITLES)[0] == "person"
    people = [f"{one} {other}" for one in ("Jane", "Peter", "Anna") for other in ("Doe", "Miller", "Smith")]
    assert _of("public.fees.invoice_display_name", people)[0] == "person"


def test_a_name_that_no_value_bears_out_tells_nothing() -> None:
    events = ["invoice.finalized", "credit_note.created"] * 15
    assert _of("public.firms.email_settings", events)[0] != "email"
    assert _of("public.firms.email_kinds", events)[0] != "email"
    assert _of("public.firms.email_kinds", [*events, "jane@corp.example"])[0] != "keep"
    assert _of("public.firms.email", ["n/a"] * 5)[0] == "email", "too few to tell"
    assert _of("public.users.phone_number_country_code", ["US", "GB", "NL"] * 9, personal=True)[0] == "keep"
    assert _of("public.workspaces.name", ["Home", "Work", "Research"] * 40)[0] == "keep"
    assert _of("public.workspaces.name", [f"{one} Inc." for one in TITLES])[0] == "company"


def test_links_of_a_service_of_its_own_are_no_links_of_persons() -> None:
    pages = [f"https://help.acme.example/v1/{one.replace('_', '/')}?page={i}" for i, one in enumerate(SLUGS)]
    assert _of("public.articles.url", pages) == ("text", True)
    assert _of("public.articles.url", pages, unique=True) == ("keep", True)
    assert _of("public.users.url", pages, personal=True)[0] == "url"
    assert _of("public.oidc.provider_url", ["https://id.example/google", "https://id.example/okta"])[0] == "text"
    assert _of("public.oidc.url", ["https://jane-doe.example/", "https://peter.example/"])[0] == "url"
    assert _of("public.payments.url", [f"https://pay.example/{i:032x}" for i in range(40)])[0] == "url"


def test_checksums_and_what_was_counted_are_nobody_s() -> None:
    sums = [uuid.UUID(int=RND.getrandbits(128)).hex for _ in range(40)]
    for name in ("checksum", "content_sha256", "variation_digest", "etag", "embedded_fingerprint"):
        assert _of(f"public.blobs.{name}", sums)[0] == "keep", name
        assert _of(f"public.users.{name}", sums, personal=True)[0] == "secret", name
    assert _of("public.users.password_digest", sums)[0] == "secret"
    assert _of("public.devices.fingerprint", sums)[0] == "secret"
    counted = [str(one) for one in range(100, 300)]
    assert _of("public.conversations.reference", counted, unique=True)[0] == "keep"
    assert _of("public.customers.phone", [f"+49 30 1234{one}" for one in counted], unique=True)[0] == "phone"


def test_keys_of_an_interface_let_somebody_in() -> None:
    assert _proposed("public.api_keys.value", KEYS["uuid"], unique=False) != "keep"
    assert _proposed("public.users.twofa_key", _drawn("", LOWER.upper() + "234567", 32), unique=False) == "secret"


def _path(path: str, texts: list[str], numbers: list[str] | None = None) -> tuple[str, str]:
    field = Field("public.settings.value", "jsonb", FieldKind.JSON, base="jsonb")
    (one,) = propose(field, {path: Sample(texts, numbers or [])})
    return one.path, one.domain


def test_texts_and_numbers_at_one_path_have_a_rule_that_leaves_numbers() -> None:
    assert _path("$", ["Mailing list", "https://lists.example/x"] * 9, ["10", "20"]) == ("$.**", "text")
    assert _path("$.v", ["some words of no kind here"] * 9) == ("$.v", "text")
    assert _path("$.phone", ["+49 30 1234567"] * 9, ["49301234567"]) == ("$.phone", "phone"), "numbers are masked, too"


def test_a_path_whose_values_are_empty_is_what_it_is_called() -> None:
    assert _path("$.api_key", ["", ""]) == ("$.api_key", "secret")
    assert _path("$.note", [""]) == ("$.note", "keep")
    assert _path("$.phone_verified", []) == ("$.phone_verified", "keep")


def test_days_on_which_something_happened_are_kept_and_birthdays_are_not() -> None:
    recent = [f"202{i}-03-0{i + 1}" for i in range(6)]
    assert _path("$.start_date", recent) == ("$.start_date", "keep")
    assert _path("$.date", [f"{one}T10:00:00Z" for one in recent]) == ("$.date", "keep")
    assert _path("$.birth_date", recent) == ("$.birth_date", "date")
    assert _path("$.c", recent) == ("$.c", "date"), "its name tells nothing"
    assert _path("$.date", [*recent, "1971-05-04"]) == ("$.date", "date")


def test_a_sentence_about_somebody_is_no_name() -> None:
    people = [f"{one} {other}" for one in ("Jane", "Peter", "Anna", "Maria") for other in ("Doe", "Miller", "Smith")]
    assert _of("public.notices.title", [f"{one} mentioned you" for one in people])[0] == "text"
    assert _of("public.notices.c3", [f"{one.split()[0]} van der {one.split()[1]}" for one in people])[0] == "person"


def test_labels_of_a_type_are_no_weak_evidence() -> None:
    kind = Field("public.jobs.phase", "public.phase", FieldKind.OTHER, base="phase")
    (one,) = propose(kind, {"": Sample(["open", "closed"])})
    assert one.domain == "keep" and not one.weak


def test_what_a_few_tools_are_shown_as_is_nobody_s() -> None:
    shown = Field("public.tool.display_name", "text", FieldKind.TEXT, base="text")
    (one,) = propose(shown, {"": Sample(["Searchtool", "Imagegen", "Internet Search"], whole=True)})
    assert one.domain != "person"
    (one,) = propose(shown, {"": Sample(["Megan Leclerc", "Toni Vincent"], whole=True)})
    assert one.domain == "person"


def test_what_is_said_of_a_token_is_no_secret() -> None:
    fields = Field("public.logins.key", "jsonb", FieldKind.JSON, base="jsonb")
    its = propose(fields, {"$.token_type": Sample(["Bearer"] * 30), "$.access_token": Sample(["ya29.x8Kq2mZ"] * 30)})
    assert {one.path: one.domain for one in its} == {"$.access_token": "secret", "$.token_type": "keep"}
