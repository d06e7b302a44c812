"""Build a version, judge it, and promote it."""
