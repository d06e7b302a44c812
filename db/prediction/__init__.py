"""Repositories of predictions and of what serves them: versions, checkpoints and feedback."""
