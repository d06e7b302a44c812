"""Repositories of predictions, versions, checkpoints and feedback."""
