"""The check before publishing: originals, where they may still be, and what explains a hit that is none."""
