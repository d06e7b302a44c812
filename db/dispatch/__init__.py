"""Repositories of the dispatcher: attempts, their outcomes, and paused handlers."""
