from __future__ import annotations

from collections.abc import Sequence

import pytest

from envclone.scan.values import look

NAMES = ["Jane Doe", "Smith, John", "Dr. Anna Müller", "José García", "Emma Johnson"]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["a@b.co", "jane.doe@corp.com", None, ""], "email"),
        (NAMES, "person"),
        (["Jane", "Emma", "Karl", "Anna"], "person"),
        (["+1 555 123 4567", "(030) 901820-5", "0171/1234567"], "phone"),
        (["4111 1111 1111 1111", "5500005555555559"], "card"),
        (["DE89370400440532013000", "GB29 NWBK 6016 1331 9268 19"], "iban"),
        (["536-90-4399", "123-45-6789"], "national_id"),
        (["10.0.0.1", "2001:db8::1"], "ip"),
        (["08:00:2b:01:02:03"], "mac"),
        (["https://example.com/x"], "url"),
        (["123e4567-e89b-12d3-a456-426614174000"], "uuid"),
        (["2024-01-02", "2024-01-02 03:04:05"], "date"),
        (["sk-proj-abcdefghijklmnop", "5f4dcc3b5aa765d61d8327deb882cf99"], "secret"),
        (['{"a": 1}'], "json"),
        (["Acme GmbH", "Miller & Sons Ltd", "Foo Inc"], "company"),
        (["12 Baker Street", "Hauptstraße 5", "1 Main St Apt 4"], "address"),
        (["jdoe82", "anna.meyer", "esmith"], "username"),
        (["The parcel of the customer has not arrived yet.", "Please call me back as soon as you can."], "text"),
        (["open", "closed"] * 60, "keep"),
        (["red", "green", "blue"] * 50, "keep"),
    ],
)
def test_most_values_decide(values: Sequence[str], kind: str) -> None:
    looks = look([value for value in values if value is not None])
    assert looks is not None
    assert looks.kind == kind


@pytest.mark.parametrize("values", [[], ["", "  "], ["x17", "b2", "q-9"], ["1234567", "7654321"]])
def test_what_tells_of_nothing(values: Sequence[str]) -> None:
    assert look(values) is None
