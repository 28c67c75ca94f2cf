from __future__ import annotations

import pytest

from envclone.masking.guesses import by_name, guess_path


@pytest.mark.parametrize(
    ("path", "domain"),
    [
        ("$.address.line1", "address"),
        ("$.billing_address.line_2", "address"),
        ("$.shippingAddress.houseNumber", "address"),
        ("$.shipping.addr1", "address"),
        ("$.poem.line1", "text"),
        ("$.loc.line", "text"),
        ("$.user.email", "email"),
        ("$.customer.name", "person"),
        ("$.company.name", "company"),
        ("$.order.number", "keep"),
        ("$", "text"),
    ],
)
def test_what_a_path_tells(path: str, domain: str) -> None:
    assert guess_path(path) == domain


def test_a_line_is_an_address_s_in_what_is_one() -> None:
    assert by_name("line1", "customer_addresses") == "address"
    assert by_name("line1", "invoices") == ""
