"""What values become: domains and their masks, JSON paths, free text, rules."""
