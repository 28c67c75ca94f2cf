"""Where a branch's stores and services run."""
