"""Rewriting values inside the pages of a stopped clone, every record at its address."""
