"""Why an incident failed: hypotheses, a module for each layer, tested on what a branch answers."""
