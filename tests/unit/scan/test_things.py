"""What is called by everyday words is a thing, and columns of things are not replaced by names of persons."""

from __future__ import annotations

import base64
import random

import pytest

from envclone.models import Field, FieldKind, Inventory
from envclone.scan.holders import holders_of
from envclone.scan.links import plain_links
from envclone.scan.numbers import pass_as_ids, series
from envclone.scan.propose import Holder, Sample, propose
from envclone.scan.things import node_ids, of_things, plain_labels, prefixed, stamped

RND = random.Random(11)
GOODS = ["Alpine Hoodie", "Grace Mug", "Victor Lamp", "Paul's Juice", "Ruby Knife", "Jack Sneakers", "Jane Oil"]
PEOPLE = ["Jane Doe", "Ahmed Khan", "Sofia Rossi", "Ng Wei", "Siobhán O'Neil", "Jo Vo", "Ewa Żuk", "Maria dos Santos"]
HEX = "0123456789abcdef"


def _of(
    address: str,
    values: list[str],
    *,
    base: str = "text",
    unique: bool = False,
    personal: bool = False,
    whole: bool = False,
    path: str = "",
) -> str:
    kind = FieldKind.JSON if path else FieldKind.TEXT if base == "text" else FieldKind.OTHER
    field = Field(address, base, kind, base=base, unique=unique, nullable=True)
    (one,) = propose(field, {path: Sample(values, whole=whole)}, holder=Holder(personal=personal))
    return one.domain


def test_goods_that_are_called_like_persons_are_texts() -> None:
    assert of_things(GOODS) and not of_things(PEOPLE)
    assert _of("public.lines.title", GOODS * 4) == "text"
    assert _of("public.events.data", GOODS * 4, path="$.lines[*].item") == "text"
    assert (
        _of("public.lines.product_name", ["Grace", "Victor", "Ruby", "Jane", "Jack", "Paul", "Ivy", "Max"] * 4)
        == "text"
    )
    assert _of("public.events.who", PEOPLE * 4) == "person"
    assert _of("public.orders.collection_point_name", ["Berlin Nord"] * 30) == "text"


def test_unique_labels_of_everyday_words_are_kept_and_names_are_not() -> None:
    roles = ["Admin", "Agent", "Read only", "Night shift", "Contractor"]
    assert plain_labels(roles) and not plain_labels(["Lawless", "Summers", "Fielding"])
    assert _of("public.Role.name", roles, unique=True, whole=True) == "keep"
    assert _of("public.Role.name", [*roles, "Jane Doe"], unique=True, whole=True) != "keep"


def test_the_author_of_a_program_may_be_a_firm() -> None:
    assert _of("public.apps.author", ["Saleor Commerce", "ACME"], whole=True) == "text"
    assert _of("public.apps.author", ["Jane Doe", "ACME"], whole=True) == "person"


def test_what_a_program_numbers_by_is_kept() -> None:
    nodes = [base64.b64encode(f"ProductVariant:{i}".encode()).decode() for i in range(30)]
    batches = [
        f"2024{RND.randint(10, 12)}{RND.randint(10, 28)}101530{RND.randint(10**5, 10**6 - 1)}" for _ in range(40)
    ]
    external = [f"EXT-{''.join(RND.choices(HEX, k=8))}" for _ in range(40)]
    assert node_ids(nodes) and stamped(batches) and prefixed(external)
    assert _of("public.lines.product_variant_id", nodes) == "keep"
    assert _of("public.documents.batch", batches) == "keep"
    assert _of("public.orders.external_reference", external, unique=True, personal=True) == "keep"
    gifts = ["".join(RND.choices("ABCDEFGHKLM23456789", k=12)) for _ in range(30)]
    assert _of("public.cards.pass", gifts, unique=True) == "secret"


def test_moments_are_nobody_s_numbers() -> None:
    moments = [str(1_710_000_000_000 + RND.randint(0, 10**9)) for _ in range(60)]
    assert not pass_as_ids(moments) and not pass_as_ids(["1653425319677"]) and not pass_as_ids(["1711111111"])
    assert _of("public.runs.node_id", moments) == "keep"


def test_checksums_of_files_are_kept_beside_persons_too() -> None:
    sums = ["".join(RND.choices(HEX, k=64)) for _ in range(40)]
    assert _of("public.upload_files.hash", sums, personal=True) == "keep"
    assert _of("public.segments.index_node_hash", sums, personal=True) == "keep"
    assert _of("public.users.hash", sums, personal=True) == "secret"


def test_the_code_of_a_reset_opens_a_door() -> None:
    codes = [str(RND.randint(10**5, 10**6 - 1)) for _ in range(40)]
    assert _of("public.PasswordResetToken.code", codes) not in ("keep", "text")
    assert _of("public.products.code", codes) == "keep"


@pytest.mark.parametrize(
    "name", ["open_id", "external_user_id", "github_id", "provider_account_id", "telegram_user_id"]
)
def test_what_others_call_somebody_by_is_masked(name: str) -> None:
    assert _of(f"public.integrations.{name}", [str(RND.randint(10**6, 10**8)) for _ in range(40)]) != "keep"


def test_a_customer_s_id_at_a_payment_provider_is_masked() -> None:
    letters = "ABCDEFGHabcdefgh0123456789"
    payers = [f"cus_{''.join(RND.choices(letters, k=13))}7" for _ in range(40)]
    assert _of("public.payments.customer_id", payers) == "key"
    assert _of("public.users.meta", payers, path="$.stripe_customer_id") not in ("keep", "text")


def test_a_weight_is_a_parcel_s_in_a_table_of_goods() -> None:
    assert _of("public.order_order.weight", ["1.5", "2.0"], base="float8", personal=True) == "keep"
    assert _of("public.patients.weight", ["81.5", "62.0"], base="float8", personal=True) == "number"


def test_an_application_s_own_links_are_nobody_s() -> None:
    links = ["https://github.com/login/oauth/authorize", "https://accounts.google.com/o/oauth2/v2/auth"]
    assert plain_links(links, "authorizationUrl")
    assert not plain_links(["https://jane.example.com/", "https://ahmed.example.com/"], "website")
    shops = [f"https://{name}.acme.example/health" for name in ("www", "mail", "vpn", "wiki", "git", "erp")]
    assert _of("public.Uptime.url", shops, whole=True) == "text"
    page = "https://shop.acme.example/password"
    assert _of("public.site.customer_set_password_url", [page], whole=True, personal=True) == "text"


def test_what_refers_to_a_queue_of_mails_is_no_address() -> None:
    assert _of("public.mails.emailQueueId", []) == "keep"


def test_numbers_of_a_series_name_nobody_even_in_a_list_of_people() -> None:
    staff = [f"HR-EMP-{i:05}" for i in range(1, 60)]
    slips = [f"Sal Slip/HR-EMP-{RND.randint(1, 70):05}/{i:05}" for i in range(40)]
    assert series(staff) and series(slips) and not series(["+49 151 2345678", "+49 151 2345679", "+49 151 2345677"])
    assert not series([f"jane{i}@corp.example" for i in range(9)]) and not series(
        ["C01234567", "C01234568", "C01234569"]
    )
    assert series([f"HR-EMP-2024-{i:05}" for i in range(9)]) and series([f"invoice-{i}" for i in range(9)])
    for of_persons in (
        "zanna{}quimby",
        "quimby{}",
        "wolfhard-{}",
        "SSN 536-2{}-87{}1",
        "TEL 503-880-01{}",
        "Tel 555-01{}",
    ):
        assert not series([of_persons.format(i, i) for i in range(10, 40)]), of_persons
    assert _of("public.tabEmployee.name", staff, unique=True, personal=True) == "keep"
    assert _of("public.coupons.code", [f"VIP-{i:05}" for i in range(40)], unique=True) == "keep"
    assert _of("public.employees.ssn", staff) != "keep", "its name says more"


def test_what_a_calendar_numbers_events_by_is_no_address() -> None:
    letters = "ABCDEFGHabcdefgh0123456789"
    events = [f"{''.join(RND.choices(letters, k=21))}7a@Cal.com" for _ in range(40)]
    assert _of("public.Booking.iCalUID", events) == "keep"
    assert _of("public.Booking.organizer", events) != "keep"
    customers = [f"ahmed.khan{i}@corp.example" for i in range(40)]
    for name in ("thread_id", "event_id", "message_id"):
        assert _of(f"public.checkpoints.{name}", customers) == "email", name
    assert _of("public.Booking.iCalUID", ["jane.doe@corp.example", *events]) != "keep"


def test_what_is_written_in_a_mail_is_no_address() -> None:
    assert _of("public.steps.emailSubject", ["Reminder: {EVENT_NAME}"] * 15) == "text"
    assert _of("public.steps.email_to", [f"a{i}@corp.example" for i in range(15)]) == "email"


def test_a_few_given_names_that_recur_are_searched() -> None:
    names = ["Zoe", "Ahmed", "Sofia", "Ingrid", "Pablo", "Wanjiru"]
    assert _of("public.bookings.inputs", names * 20, path="$.*") == "text"
    assert _of("public.bookings.inputs", ["open", "done", "waiting"] * 40, path="$.*") == "keep"


def test_a_list_that_another_table_s_column_is_made_of_is_looked_up() -> None:
    def holders(booked: str) -> dict[str, Holder]:
        fields = {
            a: Field(a, "text", FieldKind.TEXT, base="text", unique=a.endswith("tabBranch.name"))
            for a in ("public.tabBranch.name", f"public.tabBranch.{booked}", "public.tabEmployee.branch")
        }
        rows = {"public.tabBranch": 3, "public.tabEmployee": 60}
        samples = {
            "public.tabBranch.name": ["Pune", "Santa Cruz", "Main"],
            f"public.tabBranch.{booked}": ["jane@corp.example"] * 3,
            "public.tabEmployee.branch": ["Pune", "Main", "Santa Cruz"] * 20,
        }
        return holders_of(Inventory("main", fields, rows=rows), samples)

    assert holders("modified_by")["public.tabBranch"] == Holder(lookup=True), "who changed a row is nobody of the list"
    assert holders("mail")["public.tabBranch"] == Holder(personal=True)
