"""What all commands share: options, words, progress bars, output files, and access to the store."""
