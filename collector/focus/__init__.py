"""Window focus: from a screen's notices to focus, usage and presence events."""
