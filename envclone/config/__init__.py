"""The stack file: reading it, what may stand in it, and where each mistake is."""
