"""The exclusions that a person chose, by app, site, folder and title."""
