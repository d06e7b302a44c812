"""Commands for models: train, evaluate, and manage versions."""
