"""Agents in a branch: tools of the Model Context Protocol, a session's own branches, limits, one way out."""
