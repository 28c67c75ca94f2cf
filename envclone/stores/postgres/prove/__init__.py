"""What shows that a sanitized clone is what it should be: rows, structure, constraints, answers."""
