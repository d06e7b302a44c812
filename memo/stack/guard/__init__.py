"""What comes from the queue is input: it is checked before Celery acts on it, and what is refused is counted."""
