"""Forget: find everything that a query matches, and erase it everywhere."""
