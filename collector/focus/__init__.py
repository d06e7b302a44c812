"""Window focus: from a screen's reports to focus and usage events."""
