"""MEMO as a service of the desktop: what systemd is told, and the files by which MEMO starts with the session."""
