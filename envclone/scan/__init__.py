"""Proposing rules: what names, types and sampled values tell of every field that has none."""
