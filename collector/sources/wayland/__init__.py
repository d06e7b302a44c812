"""The sources `sway`, `wlroots` and `desktop`: window focus under Wayland."""
