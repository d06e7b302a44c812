"""Commands for the running stack: start, stop, pause, and show its state."""
