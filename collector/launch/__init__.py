"""App launches: which files a launch reads and how long it takes."""
