"""The clock: what time it is, and when nothing is recorded."""
