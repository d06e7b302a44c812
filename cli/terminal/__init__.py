"""Shared by all commands: options, words, progress bars, output files, and access to the store."""
