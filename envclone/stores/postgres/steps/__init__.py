"""An incident's SQL steps: recorded in production, replayed in a branch."""
