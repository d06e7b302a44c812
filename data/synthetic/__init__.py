"""Synthetic people and their event streams, for tests and for the built-in model; not shipped in the wheel."""
