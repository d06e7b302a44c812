"""Privacy rules, applied to every event before it is stored."""
