"""The account of a sanitized store: every byte of every file in exactly one class."""
