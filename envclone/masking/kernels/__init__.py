"""Masks over whole batches, compiled; what they do not know how to do alike they leave to the masks in Python."""
