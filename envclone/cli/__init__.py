"""The commands: they translate between a terminal and the library, nothing else."""
