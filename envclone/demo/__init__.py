"""The demo: a support desk with real state, an incident in it, and what becomes of the incident elsewhere."""
