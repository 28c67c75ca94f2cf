"""A service for a team: the library's verbs over HTTP, with tokens, roles, jobs and an audit; one process."""
