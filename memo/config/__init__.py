"""memo.toml while MEMO runs: it is changed in one way, and running parts follow what can change at once."""
