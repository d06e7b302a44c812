"""Repositories of what the collector stores: events, scopes, cursors, redactions and launches."""
