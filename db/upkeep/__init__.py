"""Repositories and routines of maintenance: deletion, retention, export, jobs and runs."""
