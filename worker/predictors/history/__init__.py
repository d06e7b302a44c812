"""The history model: counts and features of a person's own event stream."""
