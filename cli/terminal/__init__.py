"""How commands speak with a terminal: words, progress bars, and access to the store."""
