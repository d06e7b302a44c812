"""Forget: find what a person wants erased, and erase it everywhere."""
