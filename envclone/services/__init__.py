"""Application services of a preview stack, as an incident's steps ask them."""
