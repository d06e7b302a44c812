"""Periodic jobs: retraining, evaluation and pruning, each started when it is due."""
