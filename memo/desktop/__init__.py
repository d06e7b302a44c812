"""The user's desktop: its installed apps, and the sockets of its servers."""
