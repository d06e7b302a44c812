"""Queries of the page: rows that belong together, in pages of a bounded size."""
