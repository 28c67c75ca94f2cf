"""Values that are nobody's stay, are found nowhere, and are not a pseudonym of anybody else's."""

from __future__ import annotations

import string
from collections import Counter

import numpy as np
import pytest

from envclone.masking.corpus import CorpusBuilder
from envclone.masking.identities import identities
from envclone.masking.kinds import DomainSpec
from envclone.masking.makers import Makers
from envclone.masking.masks import MaskSet
from envclone.masking.nobody import Nobody, NobodyMask
from envclone.models import FieldKind, FieldRule
from envclone.packed import ABSENT, Packed, block_of
from tests.unit.masking.conftest import KEY

NOBODY = Nobody({"person": ["Walk-in  Customer"], "uuid": ["0000cafe-0000-4000-8000-000000000000"]})
MASKS = MaskSet(KEY, {}, nobody=NOBODY)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *(("person", value) for value in ("N/A", "n/a", " UNKNOWN ", "Deleted  User", "Test", "?", "-", "null")),
        ("person", "walk-in customer"),
        *(
            ("person", value)
            for value in ("(none)", "<unknown>", "[Deleted User]", "deleted_user", "not-provided", '"N/A"')
        ),
        *(
            ("person", value)
            for value in ("N/A\u00a0", "Deleted\u00a0User", "\uff2e/\uff21", "un\u00adknown", "\u4e0d\u660e")
        ),
        *((kind, "Deleted User") for kind in ("company", "username", "address", "phone")),
        *(("phone", value) for value in ("+1 000 000 0000", "+49 000 0000000", "000-000-0000 ext. 0", "tel: 000")),
        *(("email", value) for value in ("root@localhost", "<none>", "mailto:noreply@corp.example")),
        *(("person", value) for value in ("N/A N/A", "None, None", "User, Test", "Mr. Unknown")),
        *((kind, "NoReply@corp.example") for kind in ("person", "username")),
        ("person", "root@localhost"),
        ("iban", "DE00 0000 0000 0000 0000 00"),
        *(("person", title) for title in ("Dr", "Prof.", "Ms", "Herr")),
        *(("email", value) for value in ("none@none", "NoReply@corp.example", "x@y.invalid", "N/A", "no@email.com")),
        *(("phone", value) for value in ("0000000000", "000-000-0000", "1234567890", "0", "(999) 999-9999", "n/a")),
        *(("uuid", f"00000000-0000-0000-0000-{end}") for end in ("000000000001", "0000000000ff", "000000000000")),
        *(("uuid", value) for value in ("F" * 32, "00000000-0000-4000-8000-000000000001", "1" * 32)),
        ("uuid", "0000CAFE-0000-4000-8000-000000000000"),
        *(("date", value) for value in ("1900-01-01", "9999-12-31 00:00:00+00")),
        *(
            ("date", f"0001-01-01{time}")
            for time in ("T00:00:00Z", "T00:00:00.0000000", " 00:00:00 UTC", "T00:00:00+00:00")
        ),
        *(("date", f"9999-12-31{time}") for time in ("T23:59:59.9999999", " 23:59:59", "T23:59:59.999Z")),
        *(("date", value) for value in ("0000-00-00", "00/00/0000", "N/A", "unknown", "01/01/1900", "-")),
        *((kind, value) for kind in ("uuid", "ip", "mac", "url") for value in ("N/A", "unknown", "none")),
        *(
            ("person", value)
            for value in ("#N/A", "#REF!", "Gelöscht", "Sin nombre", "Не указано", "未登録", "asdf", "Foo Bar")
        ),
        ("card", "1234-5678-9012-3456"),
        ("national_id", "987-65-4321"),
        *(("url", value) for value in ("https://example.com", "HTTP://localhost")),
        *(("address", value) for value in ("No fixed address", "same as billing")),
        *(("email", value) for value in ("x@x.x", "keine@keine.de", "foo@bar.com")),
        ("company", "Self employed"),
        ("national_id", "000-00-0000"),
    ],
)
def test_nobody_stays_and_is_no_original(kind: str, value: str) -> None:
    assert MASKS.value(kind, value) == value
    builder = CorpusBuilder(NOBODY)
    builder.add(kind, [value])
    assert builder.build().counts() == {}
    found = identities(FieldRule("a.b", FieldKind.TEXT, kind), {}, [value], every=True, nobody=NOBODY)
    assert [values for _, values in found if values] == []


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("person", "(None)"), ("person", "<not_provided>"), ("person", '"N/A"'), ("person", "n/a\u00a0"),
        ("person", "noreply@x.org"),
        ("phone", "+1 (000) 000-0000"), ("iban", "DE00 0000 0000 0000 0000 00"), ("email", "mailto:noreply@x.org"),
        ("date", "0001-01-01T00:00:00Z"), ("uuid", "unknown"), ("company", "[deleted user]"),
    ],
)  # fmt: skip
def test_each_is_found_in_a_batch(kind: str, value: str) -> None:
    values = ["Zanna", value] * 40
    places = list(range(1, 80, 2))
    assert [i for i in NOBODY.suspects(kind, values) if NOBODY.holds(kind, values[i])] == places
    assert NOBODY.within(kind, block_of(values)) == places


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *(
            ("person", value)
            for value in (
                "Zanna",
                "Test Quimby",
                "Nonette",
                "(Zanna)",
                "(x.)",
                "Quimby-Test",
                "Foo",
                "Bar",
                "Dr. Blank",
                "Mr. Na",
            )
        ),
        *(("email", value) for value in ("jane@corp.example", "noreply.jane@corp.example", "mailto:jane@corp.example")),
        *((kind, "wolfhard.quenzelmann@corp.invalid") for kind in ("email", "person", "username")),
        *(("email", value) for value in ("jane.doe@localhost", "deleted-4711@deleted.invalid", "wq7@x.invalid")),
        *(("phone", value) for value in ("0000000001", "+49 30 1234100", "+1 000 000 0001")),
        ("uuid", "00000000-0000-0000-0000-000000012345"),
        *(
            ("date", value)
            for value in ("1900-01-02", "1900-01-01T00:00:01Z", "9999-12-30T23:59:59Z", "1985-12-31 23:59")
        ),
    ],
)
def test_somebody_is_masked(kind: str, value: str) -> None:
    assert MASKS.value(kind, value) != value


@pytest.mark.parametrize("many", [1, 40])
def test_a_date_that_is_nobody_s_need_not_have_the_form_of_one(many: int) -> None:
    """A mask of dates refuses what is none; the values beside it are masked as without it."""
    values = ["0000-00-00", "N/A", "1985-06-07", "00/00/0000", "1900-01-01T00:00:00Z"] * many
    mask = Makers(KEY, nobody=NOBODY).mask("date")
    images = mask.mask(values)
    alone = mask.mask(["1985-06-07"])
    assert images == ["0000-00-00", "N/A", *alone, "00/00/0000", "1900-01-01T00:00:00Z"] * many
    moved = mask.mask_by(values, ["subject"] * len(values))  # type: ignore[attr-defined]
    assert [a == b for a, b in zip(values, moved, strict=True)] == [True, True, False, True, True] * many
    numbers = mask.mask_numbers(["0", "-62135596800", "1700000000"] * many)  # type: ignore[attr-defined]
    assert numbers[:2] == ["0", "-62135596800"] and numbers[2] != "1700000000"


def test_texts_keep_nobody() -> None:
    builder = CorpusBuilder(NOBODY)
    builder.add("person", ["N/A", "none", "Test", "Self", "Deleted User", "Zanna Quimby", "Test Quimby"])
    masks = MaskSet(KEY, {}, builder.build(), nobody=NOBODY)
    for text in (
        "status unknown, none given",
        "company is Self employed",
        "This is a Test",
        "Deleted User N/A",
        "call 000-000-0000 or write to noreply@corp.example",
    ):
        assert masks.text([text]) == [text]
    named = masks.text(["says Test Quimby"])[0]
    assert named == f"says {masks.value('person', 'Test Quimby')}"


class _Rotating:
    def mask(self, values: list[str]) -> list[str]:
        letters = string.ascii_lowercase
        return [letters[(letters.index(value) + 1) % 26] for value in values]


def test_a_bijection_stays_one() -> None:
    nobody = Nobody({"person": ["b", "c", "q"]})
    mask = NobodyMask("person", _Rotating(), nobody)  # type: ignore[arg-type]
    images = mask.mask(list(string.ascii_lowercase))
    assert sorted(images) == list(string.ascii_lowercase)
    assert {value for value, image in zip(string.ascii_lowercase, images, strict=True) if value == image} == set("bcqx")


def test_uuids_beside_sentinels_stay_apart() -> None:
    values = [f"00000000-0000-0000-0000-{n:012x}" for n in range(2000)]
    images = Makers(KEY, nobody=NOBODY).mask("uuid").mask(values)
    assert len(set(images)) == len(values)
    assert images[:256] == values[:256] and not set(images[256:]) & set(values[:256])


def test_what_was_spared_is_counted_and_shown() -> None:
    spared: Counter[tuple[str, str]] = Counter()
    values = ["N/A", "n/a", "walk-in customer", "Zanna"]
    rule = FieldRule("a.b", FieldKind.TEXT, "who")
    domains = {"who": DomainSpec("person")}
    assert list(identities(rule, domains, values, nobody=NOBODY, spared=spared)) == [("person", ["Zanna"])]
    assert NOBODY.told(spared) == [("person", 3, ["n/a", "xxxx-xx xxxxxxxx"])]


def test_the_digest_changes_with_the_list() -> None:
    assert Nobody().digest == Nobody({}).digest != NOBODY.digest


@pytest.mark.parametrize("kind", ["company", "person", "email", "phone"])
def test_a_value_that_is_not_there_is_nobody_s_whatever_marks_its_place(kind: str) -> None:
    """A server's packed values have a byte there that no text has."""
    block = np.frombuffer(b"\0\xff\0Acme Partners\0N/A\0M\xc3\xbcller\0\xff\0", np.uint8).copy()
    starts, stops = np.array([ABSENT, 3, 17, 21, ABSENT]), np.array([ABSENT, 16, 20, 28, ABSENT])
    values = Packed(block, starts, stops, np.array([False, True, True, False, False]))
    assert values.texts() == [None, "Acme Partners", "N/A", "Müller", None]
    assert Nobody().among(kind, values) == [2]


def test_a_stack_file_may_say_that_all_of_a_host_are_nobody() -> None:
    assert Nobody({"email": ["*@localhost"]}).holds("email", "jane.doe@localhost")


@pytest.mark.parametrize(("kind", "value"), [("card", "4111 1111 1111 1111"), ("national_id", "078-05-1120")])
def test_numbers_that_tests_use_are_somebody_s(kind: str, value: str) -> None:
    assert MASKS.value(kind, value) != value
