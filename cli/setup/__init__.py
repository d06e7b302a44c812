"""`memo setup`: ask once what to record, and write the answers into memo.toml."""
