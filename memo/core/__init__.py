"""Types, grammar, settings and paths that every room shares."""
