"""What a person excludes, by app, site, folder and title."""
