"""Window focus under Wayland: sway, wlroots compositors, GNOME and KDE."""
