"""The source `x11`: window focus under X11."""
