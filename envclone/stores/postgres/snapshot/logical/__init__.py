"""A raw snapshot of a server whose files nobody gets: a dump of one moment, restored into a server of our own."""
