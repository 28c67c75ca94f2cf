"""What an answer says, in another way of writing than it was given: grounded; what was not given: not."""

from __future__ import annotations

import pytest

from envclone.diagnosis.claims import claims, clocked, grounded

GIVEN = (
    "Rooms: fourteen. A night costs 84.50 EUR, the suite 1299.00 EUR. Refunds take two weeks, replies 2 to 3 business"
    " days. The desk is open 24 hours a day, 7 days a week; the kitchen until 21:30. Opened on 2026-03-05. Call"
    " +49301234567, ask for Anna Berg. The refund policy holds for customers. Two dozen towels. The hike is 12,000 m."
)
GROUNDED = (
    "It has 14 rooms.", "A night is €84.50.", "The suite costs 1.299,00 €.", "You get it back within 14 days.",
    "Replies take 2-3 business days.", "The desk is open 24/7.", "The kitchen closes at 9:30 pm.",
    "It opened on March 5, 2026.", "It opened on Thursday, 05/03/2026.", "Am 05.03.2026 wurde es eröffnet.",
    "Call 030 1234567, or +49 30 1234-567.", "That is Anna's room.", "A night costs about 85 EUR.",
    "Two nights cost 169 EUR.", "Three nights (3 × 84.50) make 253.50 EUR.", "See our Refund Policy for Customers.",
    "Please contact our Customer Support Team.", "There are 24 towels.", "Eine Nacht kostet 84,50 Euro.",
    "The hike is 12 000 m long.",
)  # fmt: skip
NOT = (
    "It has 19 rooms.", "A night is €95.", "You get it back within 30 days.", "Replies take 4-6 days.",
    "The kitchen closes at 10:30 pm.", "It opened on April 5, 2026.", "It opened on 05/09/2026.", "Call 030 7654321.",
    "Please ask for Clara Storm.", "A night costs about 120 EUR.", "Two nights cost 180 EUR.", "It opened on Friday.",
    "See https://inns.example/none for it.", "The code is QX-991.", "Refunds take 21 days.",
)  # fmt: skip


@pytest.mark.parametrize("answer", GROUNDED)
def test_what_was_given_stands_in_any_way_of_writing(answer: str) -> None:
    said, given = clocked(answer), f"{GIVEN}\n{clocked(GIVEN)}"
    assert [one for one in claims(said) if not grounded(one, said, given)] == []


@pytest.mark.parametrize("answer", NOT)
def test_what_was_not_given_does_not_stand(answer: str) -> None:
    said, given = clocked(answer), f"{GIVEN}\n{clocked(GIVEN)}"
    assert [one for one in claims(said) if not grounded(one, said, given)]
