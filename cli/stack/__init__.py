"""Commands for the running stack: start, stop, pause and inspect it."""
