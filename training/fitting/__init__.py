"""Fine-tuning: training examples, initial weights and the training loop."""
