"""Pseudonyms written, in the files or through SQL, and what depends on them made again."""
