"""The verifier of a password, against the example of RFC 7677."""

from __future__ import annotations

from base64 import b64decode

import pytest

from envclone.stores.postgres.server import scram


def test_the_verifier_is_that_of_the_standard() -> None:
    assert scram.verifier("pencil", b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")) == (
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
        ":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )


def test_each_has_a_salt_of_its_own() -> None:
    assert scram.verifier("pencil") != scram.verifier("pencil")


@pytest.mark.parametrize("password", ["pä", "a\nb"])
def test_a_password_that_would_have_to_be_normalized_is_refused(password: str) -> None:
    with pytest.raises(ValueError, match="ASCII"):
        scram.verifier(password)
