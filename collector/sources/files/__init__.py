"""The sources `folders` and `recent`: files that a person saves or opens."""
