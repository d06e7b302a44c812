"""App launches: the files that a launch reads, and how long it takes."""
