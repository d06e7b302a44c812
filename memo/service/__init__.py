"""MEMO as a service of the desktop: notifications to systemd, and the files that start MEMO with the session."""
