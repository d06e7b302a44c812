"""What is due: periodic retraining, re-evaluation and pruning."""
