"""Commands for models: train and evaluate them, and manage versions."""
