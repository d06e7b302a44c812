"""Readings of the clock, and pauses of the recording."""
