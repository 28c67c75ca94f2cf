"""Pages for people, each one HTML file that needs nothing else."""
