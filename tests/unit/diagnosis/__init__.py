"""Tests of the hypotheses, on fakes."""
