"""Traces of other tools, read into the calls of a bundle: a reader for each format, one reading of the attributes."""
