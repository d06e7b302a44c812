"""Repositories of maintenance: deletion, retention, export, jobs, runs and figures."""
