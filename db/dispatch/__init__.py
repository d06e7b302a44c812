"""Repositories of the dispatcher: attempts, their outcomes, and resting handlers."""
