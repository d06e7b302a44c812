"""Facts about the user's desktop: installed apps and the sockets of its servers."""
