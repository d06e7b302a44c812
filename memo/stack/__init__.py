"""The processes of the running stack: the supervisor, the broker and the Celery parts, and their task queue."""
