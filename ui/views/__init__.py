"""The views of the page: each finds what it shows and chooses the template."""
