"""What a project's own tests use of envclone: a plugin for pytest."""
