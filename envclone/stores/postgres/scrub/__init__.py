"""What no row shows any more, erased; what could reach out, put out of action."""
