"""The processes of the running stack: supervisor, broker, task queue and Celery parts."""
