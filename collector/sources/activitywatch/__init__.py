"""The source `activitywatch`: events of an ActivityWatch server."""
