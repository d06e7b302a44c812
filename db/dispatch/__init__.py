"""Repositories of what the dispatcher did: attempts, their outcomes, and resting handlers."""
