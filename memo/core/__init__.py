"""The types, grammar, settings and paths that all rooms share."""
