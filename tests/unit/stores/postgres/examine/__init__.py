"""Tests of what a branch's PostgreSQL is asked."""
