"""Migrations: numbered, append-only."""
