"""The worker: from events to predictions, and from predictions to their effects."""
