"""Incidents that are kept as regression tests: what a case is, what it expects, how it is carried elsewhere."""
