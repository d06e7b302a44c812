"""The source `processes`: apps that start and end."""
