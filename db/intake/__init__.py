"""Repositories of what the collector stores: events, scopes, cursors, redactions, launches and launch sets."""
