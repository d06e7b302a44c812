"""External data: importers, the synthetic stream generator, the sample day and the built-in model."""
