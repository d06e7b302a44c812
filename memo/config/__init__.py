"""Changes to memo.toml, and how running parts follow those that take effect at once."""
